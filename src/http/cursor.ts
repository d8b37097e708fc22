// The cursor of a list: the place after which the next page begins. Opaque to clients, so that it
// may change; inside it is a version and the created_index of the last row that was given. A page
// that begins there neither repeats nor skips a row that stays, whatever is added or deleted in
// between, at whichever node it is asked for.

import { ByteWriter } from "../base/bytes.ts";

const VERSION = 1;
const BYTES = 9;

export function encodeCursor(createdIndex: number): string {
  const bytes = new ByteWriter(BYTES).u8(VERSION).u64(createdIndex).take();
  return Buffer.from(bytes).toString("base64url");
}

/** The created_index; null if this is no cursor that encodeCursor made. */
export function decodeCursor(cursor: string): number | null {
  const bytes = Buffer.from(cursor, "base64url");
  if (bytes.length !== BYTES || bytes[0] !== VERSION) return null;
  const index = Number(bytes.readBigUInt64LE(1));
  // Node's decoder skips what is not base64url; only the one way of writing it is accepted.
  return Number.isSafeInteger(index) && encodeCursor(index) === cursor ? index : null;
}
