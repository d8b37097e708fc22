// Dates as people read them. Pure: the moment comes in as a number, so `Date` is allowed here alone.

const DAY_MS = 86_400_000;
const TWO_DIGITS = Array.from({ length: 60 }, (_, n) => String(n).padStart(2, "0"));

// The last day that was asked for, and its date up to and including the T. Dates were the dearest part of
// presenting an object and of writing an event, and nearly all of them are of one day.
let day = Number.NaN;
let date = "";

/** Milliseconds since 1970 UTC as RFC 3339 with milliseconds: 2026-11-22T14:30:00.000Z. */
export function rfc3339(ms: number): string {
  const today = Math.floor(ms / DAY_MS);
  if (today !== day) {
    date = new Date(today * DAY_MS).toISOString().slice(0, -"00:00:00.000Z".length);
    day = today;
  }
  const ofDay = ms - today * DAY_MS;
  const seconds = Math.floor(ofDay / 1000);
  const minutes = Math.floor(seconds / 60);
  const hours = TWO_DIGITS[Math.floor(minutes / 60)];
  const fraction = String(Math.floor(ofDay) % 1000).padStart(3, "0");
  return `${date}${hours}:${TWO_DIGITS[minutes % 60]}:${TWO_DIGITS[seconds % 60]}.${fraction}Z`;
}

/** Milliseconds since 1970 UTC of a moment as `rfc3339` writes it; null for any other text. */
export function parseRfc3339(text: string): number | null {
  const ms = Date.parse(text);
  if (Number.isNaN(ms)) return null;
  return new Date(ms).toISOString() === text ? ms : null;
}
