// A demonstration on the terminal: one line for each step, with a mark when it held and the time it
// took.

import type { Session } from "../session.ts";
import { paint } from "../style.ts";
import { printable } from "../text.ts";

const TITLE_COLUMNS = 58;

export class Story {
  readonly #session: Session;
  #title: string | null = null;

  constructor(session: Session) {
    this.#session = session;
  }

  /** Tells one step. `told` is what was seen; a step that throws is told by `failed`. */
  async step<T>(
    title: string,
    act: () => Promise<{ readonly value: T; readonly told: string }>,
  ): Promise<T> {
    const { clock, terminal } = this.#session;
    this.#title = title;
    if (terminal.isInteractive) terminal.out(`  ${title} …`);
    const began = clock.monotonicMs();
    const { told, value } = await act();
    this.#title = null;
    const took = `${Math.round(clock.monotonicMs() - began)} ms`.padStart(8);
    this.#line(paint(terminal, "green", "✔"), `${title.padEnd(TITLE_COLUMNS)}${took}`);
    terminal.out(`    ${paint(terminal, "dim", printable(told))}\n`);
    return value;
  }

  failed(reason: string): void {
    const { terminal } = this.#session;
    this.#line(paint(terminal, "red", "✘"), this.#title ?? "The demonstration");
    terminal.out(`    ${reason}\n`);
    this.#title = null;
  }

  #line(mark: string, text: string): void {
    const { terminal } = this.#session;
    // Over the line that said what is going on.
    const back = terminal.isInteractive ? "\r\u001b[K" : "";
    terminal.out(`${back}${mark} ${text}\n`);
  }
}
