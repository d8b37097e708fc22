/**
 * The command cannot do what was asked, for a reason outside the program: nobody listens, a file is
 * missing, the server refuses. The message is for people: what is wrong, and what to do.
 */
/** The exit code for a command line that asks for what cannot be meant. */
export const USAGE = 2;

export class Failure extends Error {
  override readonly name = "Failure";
  readonly exitCode: number;

  constructor(message: string, exitCode = 1) {
    super(message);
    this.exitCode = exitCode;
  }
}
