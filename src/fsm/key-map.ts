// Values by key, a million of them, without a moment at which all are moved.
//
// A Map that is full doubles and moves everything it holds, in one go: from 524,288 keys to the next
// that held a turn of the event loop for 100 to 300 ms. So the keys lie in many small maps, each of
// which grows by itself. Which one follows from the end of the key: numbers that follow each other, as
// most ids do, spread evenly. Keys that all end alike lie in one map, which is then as slow to grow as
// a Map is.

/** A power of two. */
const PARTS = 256;
/** Units at the end of a key that choose its part. */
const UNITS = 4;

export class KeyMap<T> {
  // A part is made when the first key comes to it: most tables are small.
  readonly #parts: (Map<string, T> | undefined)[] = [];
  #size = 0;

  get size(): number {
    return this.#size;
  }

  get(key: string): T | undefined {
    return this.#parts[partOf(key)]?.get(key);
  }

  has(key: string): boolean {
    return this.#parts[partOf(key)]?.has(key) === true;
  }

  set(key: string, value: T): void {
    this.add(key, value);
  }

  /** As `set`; false if the key was there, which costs less to see here than to ask before. */
  add(key: string, value: T): boolean {
    const at = partOf(key);
    const part = (this.#parts[at] ??= new Map<string, T>());
    const before = part.size;
    part.set(key, value);
    this.#size += part.size - before;
    return part.size > before;
  }

  delete(key: string): void {
    if (this.#parts[partOf(key)]?.delete(key) === true) this.#size -= 1;
  }
}

function partOf(key: string): number {
  let hash = 0;
  for (let at = Math.max(0, key.length - UNITS); at < key.length; at += 1) {
    hash = (Math.imul(hash, 31) + key.charCodeAt(at)) | 0;
  }
  return hash & (PARTS - 1);
}
