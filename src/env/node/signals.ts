/** Calls `stop` once, at the first SIGINT or SIGTERM; a second one ends the process at once. */
export function onStopSignal(stop: (signal: string) => void): void {
  let stopping = false;
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    process.on(signal, () => {
      if (stopping) process.exit(signal === "SIGINT" ? 130 : 143);
      stopping = true;
      stop(signal);
    });
  }
}
