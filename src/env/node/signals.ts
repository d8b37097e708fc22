/**
 * Calls `stop` once, at the first SIGINT or SIGTERM; a second one ends the process at once, whatever its
 * threads wait for.
 */
export function onStopSignal(stop: (signal: string) => void): void {
  let stopping = false;
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    process.on(signal, () => {
      if (stopping) {
        process.removeAllListeners(signal);
        process.kill(process.pid, signal);
        return;
      }
      stopping = true;
      stop(signal);
    });
  }
}
