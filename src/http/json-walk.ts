// One walk over a text, against the grammar of JSON (RFC 8259). It builds nothing: it finds the
// place of a mistake, bounds the depth, counts the fields of the outermost object and looks at how
// its numbers are written.
//
// Invariant: a text that passes the walk is parsed by JSON.parse without an exception, and the
// other way round, apart from the depth. A property test holds it.

import { assert } from "../base/assert.ts";
import { JSON_DEPTH_MAX } from "../base/limits.ts";

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COMMA = 0x2c;
const COLON = 0x3a;
const MINUS = 0x2d;
const PLUS = 0x2b;
const POINT = 0x2e;
const OBJECT_BEGIN = 0x7b;
const OBJECT_END = 0x7d;
const ARRAY_BEGIN = 0x5b;
const ARRAY_END = 0x5d;

/** Where the walk stops, `at` is the place and `fault` the reason. */
export class JsonWalk {
  readonly #text: string;
  at = 0;
  fault = "";
  /** Fields of the outermost object, a repeated one counted each time. */
  fields = 0;
  /**
   * Names of the outermost fields whose number is not an integer as written, but would become one.
   */
  readonly inexact: string[] = [];

  constructor(text: string) {
    this.#text = text;
  }

  /**
   * The methods below give false where the text breaks the grammar; the place and reason are kept.
   */
  document(): boolean {
    this.#space();
    if (!this.#value(1, null)) return false;
    this.#space();
    return this.at === this.#text.length || this.#fail("expected nothing after the value");
  }

  #fail(fault: string): false {
    this.fault = this.at >= this.#text.length ? `${fault}, but the text ends here` : fault;
    return false;
  }

  #code(): number {
    return this.#text.charCodeAt(this.at);
  }

  #space(): void {
    // Only these four: JSON knows neither the no-break space nor the other spaces of Unicode.
    for (;;) {
      const code = this.#code();
      if (code !== 0x20 && code !== 0x0a && code !== 0x0d && code !== 0x09) return;
      this.at += 1;
    }
  }

  /** `name` is the outermost field whose value this is, else null. */
  #value(depth: number, name: string | null): boolean {
    switch (this.#code()) {
      case QUOTE:
        return this.#string();
      case OBJECT_BEGIN:
        return this.#object(depth);
      case ARRAY_BEGIN:
        return this.#array(depth);
      case 0x74:
        return this.#word("true");
      case 0x66:
        return this.#word("false");
      case 0x6e:
        return this.#word("null");
      default:
        return this.#number(name);
    }
  }

  // Objects and arrays call each other, never deeper than JSON_DEPTH_MAX: the stack is bounded.

  #object(depth: number): boolean {
    if (!this.#deeper(depth)) return false;
    if (this.#code() === OBJECT_END) return this.#step();
    for (;;) {
      const begin = this.at;
      if (this.#code() !== QUOTE) return this.#fail("expected a field name in double quotes");
      if (!this.#string()) return false;
      const name = depth === 1 ? this.#text.slice(begin, this.at) : null;
      if (depth === 1) this.fields += 1;
      this.#space();
      if (this.#code() !== COLON) return this.#fail("expected a colon");
      this.at += 1;
      this.#space();
      if (!this.#value(depth + 1, name)) return false;
      this.#space();
      const code = this.#code();
      if (code === OBJECT_END) return this.#step();
      if (code !== COMMA) return this.#fail("expected a comma or a closing brace");
      this.at += 1;
      this.#space();
    }
  }

  #array(depth: number): boolean {
    if (!this.#deeper(depth)) return false;
    if (this.#code() === ARRAY_END) return this.#step();
    for (;;) {
      if (!this.#value(depth + 1, null)) return false;
      this.#space();
      const code = this.#code();
      if (code === ARRAY_END) return this.#step();
      if (code !== COMMA) return this.#fail("expected a comma or a closing bracket");
      this.at += 1;
      this.#space();
    }
  }

  /** Past an opening bracket, unless it is one too many. */
  #deeper(depth: number): boolean {
    if (depth > JSON_DEPTH_MAX) return this.#fail(`nested deeper than ${JSON_DEPTH_MAX} levels`);
    this.at += 1;
    this.#space();
    return true;
  }

  #step(): true {
    this.at += 1;
    return true;
  }

  /** What stands behind the word is looked at by whoever expects a comma or an end there. */
  #word(word: string): boolean {
    if (!this.#text.startsWith(word, this.at)) return this.#fail("expected a value");
    this.at += word.length;
    return true;
  }

  #string(): boolean {
    this.at += 1;
    for (;;) {
      const code = this.#code();
      if (code === QUOTE) return this.#step();
      if (code === BACKSLASH) {
        if (!this.#escape()) return false;
      } else if (code >= 0x20) {
        this.at += 1;
      } else {
        // Past the end, charCodeAt gives NaN, which is not >= anything.
        return this.#fail(
          this.at < this.#text.length
            ? "control characters must be escaped in a string"
            : "expected the closing quote of a string",
        );
      }
    }
  }

  #escape(): boolean {
    const letter = this.#text[this.at + 1] ?? "";
    if (letter !== "" && '"\\/bfnrt'.includes(letter)) {
      this.at += 2;
      return true;
    }
    if (letter !== "u") return this.#fail("there is no such escape in JSON");
    for (let digit = 2; digit < 6; digit += 1) {
      if (!/^[0-9a-fA-F]$/.test(this.#text[this.at + digit] ?? "")) {
        return this.#fail("\\u needs four hexadecimal digits");
      }
    }
    this.at += 6;
    return true;
  }

  #number(name: string | null): boolean {
    const begin = this.at;
    if (this.#code() === MINUS) this.at += 1;
    // No digit follows a leading zero.
    if (this.#code() === 0x30) this.at += 1;
    else if (!this.#digits()) return this.#fail("expected a value");
    const integerEnd = this.at;
    if (this.#code() === POINT) {
      this.at += 1;
      if (!this.#digits()) return this.#fail("expected a digit after the decimal point");
    }
    if ((this.#code() | 0x20) === 0x65) {
      this.at += 1;
      if (this.#code() === PLUS || this.#code() === MINUS) this.at += 1;
      if (!this.#digits()) return this.#fail("expected a digit in the exponent");
    }
    // Without a fraction and an exponent a number is an integer as written, however long.
    if (name !== null && this.at > integerEnd) {
      this.#checkExact(name, this.#text.slice(begin, this.at));
    }
    return true;
  }

  #digits(): boolean {
    const begin = this.at;
    while (this.#code() >= 0x30 && this.#code() <= 0x39) this.at += 1;
    return this.at > begin;
  }

  #checkExact(name: string, written: string): void {
    if (Number.isInteger(Number(written)) && !isWholeNumber(written)) {
      this.inexact.push(JSON.parse(name) as string); // A string token, walked a moment ago.
    }
  }
}

/** Whether a JSON number, as it is written, has no fraction: 1.0, 12e3 and 1.5e1 have none. */
function isWholeNumber(written: string): boolean {
  const parts = /^-?(\d+)(?:\.(\d+))?(?:[eE]([+-]?\d+))?$/.exec(written);
  assert(parts !== null, "a number was walked over that is none");
  const [, whole = "", fraction = "", exponent = "0"] = parts;
  const digits = (whole + fraction).replace(/0+$/, "");
  // Every digit stripped off the end of whole + fraction moves the last one a place to the left.
  const stripped = whole.length + fraction.length - digits.length;
  return digits === "" || Number(exponent) - fraction.length + stripped >= 0;
}
