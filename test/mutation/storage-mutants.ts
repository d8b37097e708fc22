// Planted bugs of what lies on the disk: the log, snapshots, node.json, the event log.

import type { Mutant } from "./mutant.ts";

const LOG = "src/storage/wal/log.ts";
const SCAN = "src/storage/wal/segment-scan.ts";
const FORMAT = "src/storage/wal/format.ts";
const FILL = "src/storage/wal/fill.ts";

export const STORAGE_MUTANTS: readonly Mutant[] = [
  {
    name: "append-resolves-early",
    class: "B2",
    story: "The log says that an append is durable as soon as it has taken it.",
    edits: [
      {
        file: LOG,
        find: "    return done;\n",
        replace: "    done.catch(() => undefined);\n    return Promise.resolve();\n",
      },
    ],
    units: ["src/storage"],
  },
  {
    name: "log-never-synced",
    class: "B10",
    story:
      "Segments are opened as ordinary files: a batch is written, and nothing makes it durable.",
    edits: [
      {
        file: "src/storage/wal/open.ts",
        find: 'disk.open(found.file.path, "durable")',
        replace: 'disk.open(found.file.path, "write")',
      },
      {
        file: "src/storage/wal/segments.ts",
        find: 'disk.open(NEXT_SEGMENT_PATH, "durable")',
        replace: 'disk.open(NEXT_SEGMENT_PATH, "write")',
      },
    ],
    units: ["src/storage"],
  },
  {
    name: "recovered-tail-not-written-again",
    class: "B15",
    story:
      "What a failed write left in the memory of the machine is read at the next start, and only synced.",
    edits: [
      {
        file: "src/storage/wal/open.ts",
        find: "    await file.write(at, await file.read(at, Math.min(REWRITE_BYTES, to - at)));\n",
        replace: "    await file.read(at, Math.min(REWRITE_BYTES, to - at));\n",
      },
    ],
    units: ["src/storage"],
  },
  {
    name: "segment-name-not-synced",
    class: "B14",
    story: "A new segment gets its name, and the folder is not synced before batches go into it.",
    edits: [
      {
        file: "src/storage/wal/segments.ts",
        find: "  await disk.rename(NEXT_SEGMENT_PATH, path);\n  // Before the first batch in it is acknowledged, the file itself must not be able to vanish.\n  await disk.syncFolder(WAL_FOLDER);\n",
        replace: "  await disk.rename(NEXT_SEGMENT_PATH, path);\n",
      },
    ],
    units: ["src/storage"],
  },
  {
    name: "commit-ahead-of-entries",
    class: "B12",
    story: "A record that is spread over batches has its commit index in the first of them.",
    edits: [
      {
        file: "src/storage/wal/admission.ts",
        find: "const early: HardState = { term, vote, commit: before.commit };",
        replace:
          "const early: HardState = { term, vote, commit: Math.max(hardState.commit, before.commit) };",
      },
    ],
    units: ["src/storage"],
  },
  {
    name: "damage-called-torn",
    class: "B13",
    story:
      "A batch that does not match its checksum is cut off as a torn write, however whole it was.",
    edits: [
      {
        file: SCAN,
        find: 'return damaged("though every sector of it was written");',
        replace: 'return { kind: "torn", offset, through: end };',
      },
    ],
    units: ["src/storage/wal"],
  },
  {
    name: "zeros-pass-for-unwritten",
    class: "B13",
    story: "A sector that reads as zeros counts as never written, whatever stood there.",
    edits: [
      {
        file: FILL,
        find: "if (found !== fillWord(word, salt, sequence | 0)) return false;",
        replace: "if (found !== 0 && found !== fillWord(word, salt, sequence | 0)) return false;",
      },
    ],
    units: ["src/storage/wal"],
  },
  {
    name: "fill-not-bound-to-place",
    class: "B13",
    story: "All unwritten sectors of a segment are alike: one that strayed passes for another.",
    edits: [
      {
        file: FILL,
        find: "let mixed = word ^ salt;",
        replace: "let mixed = (word % (SECTOR_BYTES / WORD_BYTES)) ^ salt;",
      },
    ],
    units: ["src/storage/wal"],
  },
  {
    name: "torn-write-cut-with-zeros",
    class: "B12",
    story: "Where a write was cut short zeros are put, and not the fill.",
    edits: [
      {
        file: "src/storage/wal/open.ts",
        find: "  writeFill(fill, end.offset, header);\n",
        replace: "  writeFill(fill.subarray(fill.length), end.offset, header);\n",
      },
    ],
    units: ["src/storage/wal"],
  },
  {
    name: "fill-not-written-again",
    class: "B15",
    story: "A torn write that was cut off in vain stays on the disk, behind what is appended next.",
    edits: [
      {
        file: "src/storage/wal/open.ts",
        find: 'const through = end.kind === "clean" ? reach : Math.max(end.through, reach);',
        replace: 'const through = end.kind === "clean" ? end.offset : end.through;',
      },
    ],
    units: ["src/storage/wal"],
  },
  {
    name: "torn-tail-trusted",
    class: "B13",
    story: "A batch whose payload was torn is taken as it lies there.",
    edits: [
      {
        file: FORMAT,
        find: "  if (crc32(stored) !== header.payloadCrc) return null;\n",
        replace: "",
      },
    ],
    units: ["src/storage"],
  },
  {
    name: "batch-header-crc-unchecked",
    class: "B11",
    story: "The header of a batch is believed whatever its checksum says.",
    edits: [
      {
        file: FORMAT,
        find: "  if (crc !== new ByteReader(bytes, BATCH_CRC_AT).u32()) return null;\n",
        replace: "",
      },
    ],
    units: ["src/storage/wal"],
  },
  {
    name: "segment-header-crc-unchecked",
    class: "B11",
    story: "The header of a segment is believed whatever its checksum says.",
    edits: [
      {
        file: FORMAT,
        find: "if (crc32(sector.subarray(0, SEGMENT_CRC_AT)) !== new ByteReader(sector, SEGMENT_CRC_AT).u32()) {",
        replace: "if (crc32(sector.subarray(0, SEGMENT_CRC_AT)) < 0) {",
      },
    ],
    units: ["src/storage/wal"],
  },
  {
    name: "chain-unchecked",
    class: "B11",
    story: "A batch need not follow from the one before it.",
    edits: [
      {
        file: SCAN,
        find: "if (header.chain !== next.chain) {",
        replace: "if (header.chain !== next.chain && offset < 0) {",
      },
    ],
    units: ["src/storage/wal/torn.test.ts"],
  },
  {
    name: "segments-need-not-continue",
    class: "B11",
    story:
      "A segment whose last batches are gone passes, because the next one is not held against it.",
    edits: [
      {
        file: "src/storage/wal/walk.ts",
        find: "if (header.firstBatch === next.number && header.chain === next.chain) return;",
        replace: "if (header.firstBatch >= next.number) return;",
      },
    ],
    units: ["src/storage/wal"],
  },
  {
    name: "truncated-segment-accepted",
    class: "B11",
    story: "A segment that was cut off at a sector is read as far as it goes.",
    edits: [
      {
        file: "src/storage/wal/segment-reader.ts",
        find: "if (bytes.length !== header.segmentBytes || bytes.length % SECTOR_BYTES !== 0) {",
        replace: "if (bytes.length > header.segmentBytes || bytes.length % SECTOR_BYTES !== 0) {",
      },
    ],
    units: ["src/storage/wal/torn.test.ts"],
  },
  {
    name: "lost-end-accepted",
    class: "B11",
    story: "A log that ends before what is known to have been synced is started from.",
    edits: [
      {
        file: "src/storage/wal/read.ts",
        find: "  refuseLoss(disk, last, synced);\n",
        replace: "",
      },
    ],
    units: ["src/storage/wal/torn.test.ts"],
  },
  {
    name: "sync-record-ahead",
    class: "B13",
    story: "The sync record is written before the batch that it speaks of.",
    edits: [
      {
        file: LOG,
        find: "    await this.#file.write(this.#offset, bytes);\n",
        replace:
          "    const end = this.#offset + bytes.length;\n" +
          "    const { sequence } = current.header;\n" +
          "    await this.#watermark.advance({ segment: sequence, offset: end, batch: this.#next.number, chain: crc });\n" +
          "    await this.#file.write(this.#offset, bytes);\n",
      },
    ],
    units: [
      "src/storage/wal/log.crash.test.ts",
      "src/storage/wal/log.test.ts",
      "src/storage/storage.crash.test.ts",
    ],
  },
  {
    name: "failed-write-retried",
    class: "B15",
    story: "A write to the log that failed is simply made again.",
    edits: [
      {
        file: LOG,
        find: "    await this.#file.write(this.#offset, bytes);\n",
        replace:
          "    await this.#file\n" +
          "      .write(this.#offset, bytes)\n" +
          "      .catch(() => this.#file.write(this.#offset, bytes));\n",
      },
    ],
    units: ["src/storage/wal/log.test.ts"],
  },
  {
    name: "failed-snapshot-sync-is-no-room",
    class: "B15",
    story:
      "A sync that failed for want of room counts as an ordinary full disk, and the node goes on.",
    edits: [
      {
        file: "src/storage/snapshots/snapshot-store.ts",
        find: 'if (!isFull || error.operation.startsWith("sync")) return error;',
        replace: "if (!isFull) return error;",
      },
    ],
    units: ["src/storage/snapshots"],
  },
  {
    name: "full-disk-swallowed",
    class: "B17",
    story: "A batch for which the disk had no room counts as written.",
    edits: [
      {
        file: LOG,
        find: "    await this.#file.write(this.#offset, bytes);\n",
        replace:
          "    await this.#file.write(this.#offset, bytes).catch((thrown: unknown) => {\n" +
          '      if (!(thrown instanceof Error && "code" in thrown && thrown.code === "ENOSPC")) throw thrown;\n' +
          "    });\n",
      },
    ],
    units: ["src/storage/wal/log.test.ts"],
  },
  {
    name: "snapshot-not-synced",
    class: "B10",
    story: "A snapshot gets its name and its mark before its bytes are on the disk.",
    edits: [
      {
        file: "src/storage/snapshots/snapshot-writer.ts",
        find: "    await file.sync();\n    return { bytes: await file.size(), parts: out.written };\n",
        replace: "    return { bytes: await file.size(), parts: out.written };\n",
      },
    ],
    units: ["src/storage/snapshots", "src/storage/storage.crash.test.ts"],
  },
  {
    name: "snapshot-name-not-synced",
    class: "B14",
    story: "A snapshot is renamed, and the folder is not synced before the log vouches for it.",
    edits: [
      {
        file: "src/storage/snapshots/snapshot-store.ts",
        find: "    await disk.rename(temporary, path);\n    await disk.syncFolder(SNAPSHOT_FOLDER);\n",
        replace: "    await disk.rename(temporary, path);\n",
      },
    ],
    units: ["src/storage/snapshots", "src/storage/storage.crash.test.ts"],
  },
  {
    name: "received-snapshot-not-synced",
    class: "B10",
    story:
      "A snapshot from the leader takes the place of the state before its bytes are on the disk.",
    edits: [
      {
        file: "src/storage/snapshots/snapshot-receiver.ts",
        find: "      await this.#file.sync();\n      await this.#file.close();\n",
        replace: "      await this.#file.close();\n",
      },
    ],
    units: ["src/storage/snapshots", "src/storage/storage.crash.test.ts"],
  },
  {
    name: "snapshot-hash-unchecked",
    class: "wire",
    story: "A snapshot from a peer need not be the one that was announced.",
    edits: [
      {
        file: "src/storage/snapshots/snapshot-receiver.ts",
        find: "if (sha256 !== offer.sha256) {",
        replace: "if (sha256.length !== offer.sha256.length) {",
      },
    ],
    units: ["src/storage/snapshots"],
  },
  {
    name: "snapshot-of-another-cluster",
    class: "B18",
    story: "A snapshot of another cluster is taken from a peer.",
    edits: [
      {
        file: "src/storage/snapshots/snapshot-receiver.ts",
        find: "if (meta.clusterId !== clusterId) {",
        replace: 'if (clusterId === "") {',
      },
    ],
    outsideSimulator: "it knows one cluster only",
    units: ["src/storage/snapshots"],
  },
  {
    name: "snapshot-block-crc-unchecked",
    class: "B11",
    story: "A block of a snapshot goes into the state before its checksum is looked at.",
    edits: [
      {
        file: "src/storage/snapshots/scan.ts",
        find: "if (crc !== blockCrc(blocks, block)) {",
        replace: "if (crc !== blockCrc(blocks, block) && bytes < 0) {",
      },
    ],
    units: ["src/storage/snapshots"],
  },
  {
    name: "log-released-too-far",
    class: "B7",
    story:
      "The log is cut at the newest snapshot although the one before it is kept to fall back on.",
    edits: [
      {
        file: "src/storage/recovery.ts",
        find: "return indexes.length === 0 ? 0 : Math.min(...indexes);",
        replace: "return indexes.length === 0 ? 0 : Math.max(...indexes);",
      },
    ],
    units: ["src/storage/recovery.test.ts", "src/storage/storage.crash.test.ts"],
  },
  {
    name: "log-released-without-a-snapshot",
    class: "B7",
    story: "The log is cut where it is told to, whether a snapshot holds what goes or not.",
    edits: [
      {
        file: LOG,
        find: "const vouched = Math.min(throughIndex, this.#marks.at(-1)?.index ?? 0);",
        replace: "const vouched = throughIndex;",
      },
    ],
    units: ["src/storage/wal/log.test.ts"],
  },
  {
    name: "install-keeps-old-entries",
    class: "B7",
    story: "Entries from before an installed snapshot come back at the next start.",
    edits: [
      {
        file: "src/storage/wal/replay.ts",
        find: "      this.entries.restartBehind(mark.index);\n",
        replace:
          "      if (this.entries.lastIndex === null) this.entries.restartBehind(mark.index);\n",
      },
    ],
    units: [
      "src/storage/wal/replay.test.ts",
      "src/storage/wal/log.test.ts",
      "src/storage/recovery.test.ts",
    ],
  },
  {
    name: "stray-snapshot-believed",
    class: "B20",
    story: "A snapshot file that the log never vouched for stays in the folder and is used.",
    edits: [
      {
        file: "src/storage/recovery.ts",
        find: "  await snapshots.removeStrays(marks);\n",
        replace: "",
      },
    ],
    units: ["src/storage/recovery.test.ts", "src/storage/storage.crash.test.ts"],
  },
  {
    name: "unreadable-snapshot-let-go-early",
    class: "B7",
    story: "A snapshot that could not be read is renamed before the log vouches for another one.",
    edits: [
      {
        file: "src/storage/snapshots/snapshot-store.ts",
        find: "if (index <= newest) await this.#moveAside(path);",
        replace: "if (index >= 0) await this.#moveAside(path);",
      },
    ],
    units: ["src/storage/snapshots/snapshot-store.test.ts"],
  },
  {
    name: "node-file-crc-unchecked",
    class: "B11",
    story: "node.json is believed whatever its checksum says.",
    edits: [
      {
        file: "src/storage/node-file.ts",
        find: "if (crc === null || crc[1] !== hex32(crc32(text.slice(0, crc.index)))) {",
        replace:
          "if (crc === null || crc[1]?.length !== hex32(crc32(text.slice(0, crc.index))).length) {",
      },
    ],
    units: ["src/storage/node-file.test.ts"],
  },
  {
    name: "events-doubled-after-restart",
    class: "events",
    story: "At a start the event log keeps what the replay of the log is going to add once more.",
    edits: [
      {
        file: "src/storage/events/open-folder.ts",
        find: "if (path === target && scan.through === replayFrom && scan.damage === null) {",
        replace: "if (path === target && scan.through >= replayFrom && scan.damage === null) {",
      },
    ],
    units: ["src/storage/events"],
  },
  {
    name: "event-jump-leaves-no-gap",
    class: "events",
    story: "What a snapshot jumped over is not noted as missing from the event log.",
    edits: [
      {
        file: "src/storage/events/writer.ts",
        find: "    await this.#startBehind(to);\n    this.#options.tail.restart(to);\n",
        replace: "    await this.#current.append([], to);\n    this.#options.tail.restart(to);\n",
      },
    ],
    units: ["src/storage/events"],
  },
  {
    name: "lost-events-file-unnoticed",
    class: "events",
    story:
      "A file of events that is gone under a running node is forgotten, and not fetched from a peer.",
    edits: [
      {
        file: "src/storage/events/reader.ts",
        find: "      catalog.remove(path);\n      onLoss(path, range);\n",
        replace:
          "      catalog.remove(path);\n      if (range.to < range.from) onLoss(path, range);\n",
      },
    ],
    units: ["src/storage/events"],
  },
  {
    name: "names-trusted-at-a-start",
    class: "B14",
    story: "A start writes to a file of events whose name an earlier start failed to make durable.",
    edits: [
      {
        file: "src/storage/events/open-folder.ts",
        find: "  await disk.syncFolder(EVENT_FOLDER);\n  const { catalog, candidates }",
        replace: "  const { catalog, candidates }",
      },
    ],
    units: ["src/storage/events"],
  },
];
