// Where the program writes for people, and whether they can see colours.

export interface Terminal {
  /** Columns of the screen; without end where the output is a file or another program. */
  readonly columns: number;
  readonly isInteractive: boolean;
  readonly hasColor: boolean;
  /** Standard output: results. */
  out(text: string): void;
  /** Standard error: progress and problems. */
  err(text: string): void;
}

export function nodeTerminal(): Terminal {
  const { stderr, stdout } = process;
  // `raft3d … | head` closes its end when it has enough (EPIPE), and a terminal may be gone (EIO).
  // That is no error of the program's, and there is nobody left to write for.
  for (const stream of [stdout, stderr]) {
    stream.on("error", (error: NodeJS.ErrnoException) => {
      if (error.code === "EPIPE" || error.code === "EIO") process.exit(process.exitCode ?? 0);
      throw error;
    });
  }
  const isInteractive = stdout.isTTY ?? false;
  // https://no-color.org: any value that is not empty.
  const refused = (process.env["NO_COLOR"] ?? "") !== "" || process.env["TERM"] === "dumb";
  return {
    get columns() {
      return isInteractive ? stdout.columns : Number.POSITIVE_INFINITY;
    },
    isInteractive,
    hasColor: isInteractive && !refused,
    out: (text) => void stdout.write(text),
    err: (text) => void stderr.write(text),
  };
}
