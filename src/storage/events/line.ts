// The lines of the event log. An event's line is the JSON text it was given as, with a checksum over that
// text as its last field; it is the same on every node. Between them stand markers,
//   {"through":<index>,"lines":<count>,"crc":"…"}
// which say that the file holds every event up to that index, and how many lines these are: without them
// a file that lost its end at the end of a line would look whole.

import { assert } from "../../base/assert.ts";
import { decodeUtf8, encodeUtf8, hex32 } from "../../base/bytes.ts";
import { crc32 } from "../../base/hash.ts";

const CRC_BEFORE = ',"crc":"';
const CRC_AFTER = '"}';
const CRC_DIGITS = 8;
const CRC_CHARS = CRC_BEFORE.length + CRC_DIGITS + CRC_AFTER.length;

const EVENT_HEAD = /^\{"index":(\d{1,16}),/;
const EVENT_TYPE = /,"type":"([^"\\]*)"/;
const MARKER = /^\{"through":(\d{1,16}),"lines":(\d{1,16})$/;

export interface EventLine {
  readonly index: number;
  /** The whole line, without its end. */
  readonly line: string;
}

/** How far a file is complete, and with how many events. */
export interface Marker {
  readonly through: number;
  readonly lines: number;
}

export type DecodedLine =
  | ({ readonly kind: "event" } & EventLine)
  | ({ readonly kind: "marker" } & Marker)
  | { readonly kind: "bad"; readonly what: string };

/** Adds the checksum to the text of a JSON object. */
export function sealLine(text: string): string {
  assert(text.endsWith("}"), "an event is a JSON object");
  assert(!text.includes("\n"), "an event is one line");
  const body = text.slice(0, -1);
  return `${body}${CRC_BEFORE}${hex32(crc32(body))}${CRC_AFTER}`;
}

export function markerLine(marker: Marker): string {
  return sealLine(`{"through":${marker.through},"lines":${marker.lines}}`);
}

const BEFORE_BYTES = encodeUtf8(CRC_BEFORE);
const AFTER_BYTES = encodeUtf8(CRC_AFTER);
const HEX_BYTES = encodeUtf8("0123456789abcdef");

/** Whether the checksum's field stands at `at`. Digit by digit: this runs for every line that is read. */
function endsWithCrc(bytes: Uint8Array, at: number, crc: number): boolean {
  const digitsAt = at + BEFORE_BYTES.length;
  for (let i = 0; i < BEFORE_BYTES.length; i++) {
    if (bytes[at + i] !== BEFORE_BYTES[i]) return false;
  }
  for (let i = 0; i < CRC_DIGITS; i++) {
    const digit = (crc >>> (4 * (CRC_DIGITS - 1 - i))) & 0xf;
    if (bytes[digitsAt + i] !== HEX_BYTES[digit]) return false;
  }
  return AFTER_BYTES.every((byte, i) => bytes[digitsAt + CRC_DIGITS + i] === byte);
}

/** `bytes` is a line without its end. */
export function decodeLine(bytes: Uint8Array): DecodedLine {
  // Checked as bytes, before they are taken for text: what is damaged may not be UTF-8.
  const bodyBytes = bytes.length - CRC_CHARS;
  if (bodyBytes <= 0) return { kind: "bad", what: "the line is too short" };
  if (!endsWithCrc(bytes, bodyBytes, crc32(bytes.subarray(0, bodyBytes)))) {
    return { kind: "bad", what: "the line does not match its checksum" };
  }
  const line = decodeUtf8(bytes);
  const event = EVENT_HEAD.exec(line);
  if (event !== null) return { kind: "event", index: Number(event[1]), line };
  const marker = MARKER.exec(line.slice(0, -CRC_CHARS));
  if (marker === null) return { kind: "bad", what: "the line is neither an event nor a marker" };
  return { kind: "marker", through: Number(marker[1]), lines: Number(marker[2]) };
}

/** The type of an event. What stands before it in the line holds no text from people. */
export function eventType(line: string): string {
  return EVENT_TYPE.exec(line)?.[1] ?? "";
}
