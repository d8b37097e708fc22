// Every bound in one place, with the relations between them asserted where the program starts.
// Bytes unless the name says otherwise.

import { assert } from "./assert.ts";

const KIB = 1024;
const MIB = 1024 * KIB;

// --- What clients may send
export const ID_CHARS_MAX = 128;
export const NAME_CHARS_MAX = 256;
export const FILEPATH_CHARS_MAX = 4096;
export const IDEMPOTENCY_KEY_CHARS_MAX = 255;
/** Grams. */
export const WEIGHT_MAX = Number.MAX_SAFE_INTEGER;
export const BODY_BYTES_MAX = 64 * KIB;
/** Levels of brackets in a JSON body; Raft3D's own bodies have one. */
export const JSON_DEPTH_MAX = 32;
/** Entity tags in one If-Match; they travel in the log entry. */
export const IF_MATCH_TAGS_MAX = 32;
/** Values of one repeatable query parameter. */
export const FILTER_VALUES_MAX = 100;
export const PAGE_ROWS_MAX = 1000;
export const EVENTS_PAGE_DEFAULT = 1000;
export const EVENTS_PAGE_MAX = 10_000;

// --- HTTP connections and what is written to them
export const HTTP_CONNECTIONS_MAX = 10_000;
/** Above the 60 s after which most load balancers drop an idle connection: they must be first. */
export const HTTP_KEEP_ALIVE_MS = 75_000;
/** From the first byte of a request to the end of its headers, and to its end: ends slow-loris. */
export const HTTP_HEADERS_MS_MAX = 10_000;
export const HTTP_REQUEST_MS_MAX = 30_000;
/** How long the rest of a refused body is thrown away, so that the refusal reaches its sender. */
export const HTTP_LINGER_MS_MAX = 10_000;
/** How long a server that was told to close goes on listening, for what was sent before anybody knew. */
export const HTTP_DRAIN_MS = 100;
/** How long requests in flight may take once the server is told to close. */
export const HTTP_CLOSE_MS_MAX = 10_000;
/** A long answer is written in pieces of about this size, with other requests served in between. */
export const STREAM_SLICE_BYTES = 64 * KIB;
/** Rows of a list looked at before other requests are served. */
export const STREAM_SLICE_ROWS = 4096;
/** A client that takes nothing off a long answer for this long is dropped. */
export const STREAM_STALL_MS_MAX = 60_000;
export const STREAM_HEARTBEAT_MS = 15_000;
/** Events sent to one live stream before it is looked at whether the client keeps up. */
export const STREAM_EVENTS_MAX = 256;

// --- The replicated state
/** Milliseconds since 1970 UTC: the last moment a date can show, in the year 275760. */
export const WALL_MS_MAX = 8_640_000_000_000_000;
/** Answers remembered for Idempotency-Keys; the oldest goes when another comes. */
export const IDEMPOTENCY_KEYS_MAX = 262_144;
/**
 * How far a session's numbers may run ahead of its oldest unsettled one, and so the most the state
 * remembers of it. Wide, because one lost proposal must not hold up the others until it is repeated.
 */
export const SESSION_WINDOW_MAX = 65_536;

// --- Proposals and reads in flight at one node
export const PROPOSALS_MAX = 4096;
export const PROPOSAL_BYTES_MAX = 16 * MIB;
export const READS_MAX = 16_384;

// --- Raft
export const HEARTBEAT_TICKS = 1;
export const ELECTION_TICKS = 10;
export const MESSAGE_BYTES_MAX = 1 * MIB;
export const INFLIGHT_MESSAGES_MAX = 256;
/** Milliseconds that a new commit index waits for entries to leave with. */
export const COMMIT_WAIT_MS = 5;
/** Milliseconds that committed entries gather where nobody waits for them, before they are applied together. */
export const APPLY_WAIT_MS = 20;
/** Entries that are applied together at once, however short they have gathered, */
export const APPLIED_TOGETHER_MAX = 256;
/** and bytes of them. */
export const APPLIED_TOGETHER_BYTES_MAX = 256 * KIB;
export const UNCOMMITTED_BYTES_MAX = 64 * MIB;
/** Committed entries handed out for applying at once. */
export const COMMITTED_BYTES_MAX = 1 * MIB;

// --- The log on disk
export const SECTOR_BYTES = 512;
export const SEGMENT_BYTES = 16 * MIB;
/** One batch in the log: written and synced as a whole. */
export const BATCH_BYTES_MAX = 8 * MIB;
/** The next segment is filled in pieces of this size, so that batches get in between. */
export const SEGMENT_FILL_BYTES = 1 * MIB;
/** Entries are handed over at a restart in blocks of about this size. */
export const RECOVERED_BLOCK_BYTES = 1 * MIB;
/** Snapshot marks repeated at the start of a segment. */
export const MARKS_CARRIED_MAX = 8;
export const CLUSTER_ID_BYTES_MAX = 64;

// --- Snapshots
export const SNAPSHOT_BLOCK_BYTES = 64 * KIB;
export const SNAPSHOTS_KEPT = 2;
/** The longest block a reader takes; the machine's blocks are whole lines and may pass the target. */
export const SNAPSHOT_BLOCK_BYTES_MAX = 1 * MIB;
export const SNAPSHOT_META_BYTES_MAX = 64 * KIB;
/** A snapshot is written in slices of at least this size, some two blocks; then other work gets its turn. */
export const SNAPSHOT_SLICE_BYTES = 112 * KIB;
/** The longest rest after them, in milliseconds. */
export const SNAPSHOT_REST_MS_MAX = 50;
/** A snapshot is synced in steps of this size, so that the log's syncs do not wait for all of it. */
export const SNAPSHOT_SYNC_BYTES = 8 * MIB;

// --- The event log on disk
export const EVENT_SEGMENT_BYTES = 16 * MIB;
export const EVENT_LINE_BYTES_MAX = 1 * MIB;
/** Lines gathered for one write, and read at a time. */
export const EVENT_CHUNK_BYTES = 256 * KIB;
/** The newest lines, kept in memory for those who follow along. */
export const EVENT_TAIL_BYTES = 1 * MIB;
/** Milliseconds that events gather before they are written. */
export const EVENT_WRITE_DELAY_MS = 100;
/** Lines between two entries of a file's offset table. */
export const EVENT_LINES_PER_STEP = 256;

// --- Between nodes
export const FRAME_BYTES_MAX = 4 * MIB;
export const PEER_QUEUE_BYTES_MAX = 16 * MIB;
export const SNAPSHOT_CHUNK_BYTES = 256 * KIB;
/** Bytes of a snapshot on their way that the receiver has not written yet. */
export const SNAPSHOT_WINDOW_BYTES = 4 * MIB;
/** Blocks of events on their way that the asking node has not taken yet. */
export const EVENT_BLOCKS_WINDOW = 2;
/** What a stranger may make a node keep before it has said who it is. */
export const HANDSHAKE_BYTES_MAX = 16 * KIB;
/** Connections between nodes at a time; with so many open, no more are accepted. */
export const PEER_CONNECTIONS_MAX = 128;

// --- Between nodes: durations, in milliseconds
export const CONNECT_TIMEOUT_MS = 1000;
export const HANDSHAKE_TIMEOUT_MS = 2000;
export const PING_INTERVAL_MS = 500;
/** A ping this long without its answer: the connection is dead, whatever TCP still hopes for. */
export const PONG_TIMEOUT_MS = 3000;
/** A connection on which the peer says nothing this long is closed. */
export const SILENCE_TIMEOUT_MS = 10_000;
/** A transfer that does not move on for this long has failed. */
export const TRANSFER_STALL_MS = 30_000;
/** The bounds of the random wait before the next attempt to connect. */
export const RECONNECT_MIN_MS = 50;
export const RECONNECT_MAX_MS = 2000;
/** A connection that lasted this long was a good one: the waits start from the beginning. */
export const RECONNECT_SETTLED_MS = 5000;
/** Roughly how often a peer that refused is asked again: people have to act first. */
export const REFUSED_RETRY_MS = 5000;

// --- The command line
/** A host name has 253 characters at most (RFC 1035), and then a colon and the port. */
export const ADDRESS_CHARS_MAX = 260;
/** Nodes of a cluster on one machine: more would only share the same disk and processors. */
export const LOCAL_NODES_MAX = 9;
/** The longest answer that a client reads whole: a page of rows with every text at its limit fits. */
export const HTTP_ANSWER_BYTES_MAX = 64 * MIB;
/** Read at a time of a log that is followed; the longest line that is shown in one piece. */
export const LOG_TAIL_BYTES = 64 * KIB;

assert(ELECTION_TICKS > 2 * HEARTBEAT_TICKS, "an election must outlast two heartbeats");
assert(PROPOSALS_MAX < SESSION_WINDOW_MAX, "a session must hold every number in flight");
assert(PROPOSAL_BYTES_MAX < UNCOMMITTED_BYTES_MAX, "one node's proposals must fit the leader");
assert(2 * MESSAGE_BYTES_MAX < FRAME_BYTES_MAX, "a message and one entry more must fit a frame");
assert(HTTP_HEADERS_MS_MAX < HTTP_REQUEST_MS_MAX, "headers are a part of the request");
assert(
  STREAM_HEARTBEAT_MS < STREAM_STALL_MS_MAX,
  "a live stream must be written to before it stalls",
);
assert(FRAME_BYTES_MAX < PEER_QUEUE_BYTES_MAX, "a frame must fit a peer's queue");
assert(SNAPSHOT_CHUNK_BYTES < FRAME_BYTES_MAX, "a chunk must fit a frame");
assert(SNAPSHOT_CHUNK_BYTES <= SNAPSHOT_WINDOW_BYTES, "the window must let a chunk through");
assert(HANDSHAKE_BYTES_MAX < FRAME_BYTES_MAX, "a stranger gets less room than a peer");
assert(2 * PING_INTERVAL_MS < PONG_TIMEOUT_MS, "one lost turn must not look like a dead peer");
assert(PONG_TIMEOUT_MS < SILENCE_TIMEOUT_MS, "the dialler, which can dial again, notices first");
assert(RECONNECT_MAX_MS < RECONNECT_SETTLED_MS, "a flapping connection must keep its backoff");
assert(
  APPLIED_TOGETHER_BYTES_MAX <= COMMITTED_BYTES_MAX / 2,
  "raft must not pause for entries that only gather",
);
assert(SEGMENT_BYTES % SECTOR_BYTES === 0, "segments are whole sectors");
assert(2 * BATCH_BYTES_MAX <= SEGMENT_BYTES, "a segment's first batch must leave room for another");
assert(SNAPSHOTS_KEPT < MARKS_CARRIED_MAX, "every kept snapshot must stay vouched for");
assert(
  SNAPSHOT_BLOCK_BYTES < SNAPSHOT_BLOCK_BYTES_MAX,
  "a block is whole lines, so it may be longer",
);
assert(EVENT_CHUNK_BYTES < EVENT_SEGMENT_BYTES, "an event file holds many chunks");
