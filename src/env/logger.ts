// Structured lines. The message is constant, data goes into fields; in the simulator the lines are the
// trace that two runs of one seed must agree on.
//   error: page somebody. warn: degraded, look at it today. info: the node's state changed.
//   debug: per message, for whoever is hunting something.

export type LogFields = Readonly<Record<string, string | number | boolean | null | undefined>>;

export interface Logger {
  debug(message: string, fields?: LogFields): void;
  info(message: string, fields?: LogFields): void;
  warn(message: string, fields?: LogFields): void;
  error(message: string, fields?: LogFields): void;
  /** A logger that adds `fields` to every line. */
  child(fields: LogFields): Logger;
}
