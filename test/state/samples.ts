import { createHash } from "node:crypto";
import type { Checkpoint, DataType } from "../../src/model.ts";
import type { StateEvent } from "../../src/state/events.ts";
import { type Marker, newMarker, type RunKey, type SourceState } from "../../src/state/marker.ts";
import { activateRun } from "../../src/state/runs.ts";
import { transition } from "../../src/state/transitions.ts";

export const VERSION = "20260101";
export const TOPIC: RunKey = { mode: "normal", sink: "file:out", contract: "topic", rulesDigest: null };
export const FANOUT: RunKey = { mode: "normal", sink: "file:out", contract: "fanout", rulesDigest: hex("rules") };

/** The name upstream gives the dump's file. */
export function fileOf(dataType: DataType): string {
  return `discogs_${VERSION}_${dataType}.xml.gz`;
}

export const FILES = (["artists", "labels", "masters", "releases"] as const).map(fileOf);

/** 64 hex digits that depend on `text`. */
export function hex(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}

/** Noise in base64, `chars` long. */
export function windowOf(text: string, chars: number): string {
  const blocks = Array.from({ length: Math.ceil(chars / 40) }, (_, n) => hex(`${text} ${n}`));
  return Buffer.from(blocks.join(""), "hex")
    .toString("base64")
    .slice(0, chars - (chars % 4))
    .replaceAll("=", "A");
}

export function source(dataType: DataType, changes: Partial<SourceState> = {}): SourceState {
  return {
    sha256: hex(dataType),
    device: "64769",
    inode: "9223372036854775809",
    size: 480_000_000,
    mtimeNs: "1769862896123456789",
    ctimeNs: "1769862896987654321",
    verified: true,
    ...changes,
  };
}

/** The checkpoint before record `ordinal`, of which one in thousand was rejected. */
export function checkpoint(ordinal: number, windowChars = 64): Checkpoint {
  const rejected = Math.floor(ordinal / 1000);
  return {
    resume: {
      compressedOffset: ordinal * 211 + 18,
      bits: ordinal % 8,
      memberCrc: (ordinal * 2_654_435_761) % 2 ** 32,
      memberBytes: ordinal * 1234,
      inflatedOffset: ordinal * 1234,
      window: windowOf(`window ${ordinal}`, windowChars),
      recordOffset: ordinal * 1234 + 77,
      rootName: "labels",
      lineForm: "\n",
    },
    ordinal,
    lastId: String(ordinal * 3),
    counts: { read: ordinal, written: ordinal - rejected, rejected, empty: 0, skipped: 0, unchanged: 0, unknownIds: 0 },
    digest: hex(`digest ${ordinal}`),
    sink: { bytes: ordinal * 999, member: "0" },
    ledger: null,
    rejectBytes: rejected * 321,
    flaggedBytes: { violations: 0, skips: 0 },
  };
}

/** Applies events one second apart, beginning at `start`. */
export function play(marker: Marker, events: readonly StateEvent[], start = "2026-02-01T00:00:00.000Z"): Marker {
  return events.reduce((state, event, n) => transition(state, event, new Date(Date.parse(start) + n * 1000)), marker);
}

export function opened(key: RunKey = TOPIC): Marker {
  const now = new Date("2026-02-01T00:00:00.000Z");
  return activateRun(newMarker(VERSION, now), key, now);
}

/** All four files are there and verified, processing has begun. */
export function begun(): StateEvent[] {
  const types = ["artists", "labels", "masters", "releases"] as const;
  return [
    { type: "download-started", filesTotal: 4 },
    ...types.map((dataType): StateEvent => ({ type: "file-present", file: fileOf(dataType), dataType, source: source(dataType) })),
    { type: "download-completed" },
    { type: "processing-started", filesTotal: 4 },
  ];
}

export function startOf(dataType: DataType, resumed = false): StateEvent {
  return { type: "file-started", file: fileOf(dataType), dataType, source: source(dataType), resumed };
}

/** One file from its start to its end, without rejects. */
export function wholeFile(dataType: DataType, records = 900): StateEvent[] {
  const counts = { read: records, written: records, rejected: 0, empty: 0, skipped: 0, unchanged: 0, unknownIds: 0 };
  return [startOf(dataType), { type: "file-completed", file: fileOf(dataType), counts, digest: hex(`all ${dataType}`), ledger: null, batches: 9 }];
}

/** Artists are done, labels are at a checkpoint; another run is parked. */
export function realisticMarker(windowChars = 6144): Marker {
  const other = play(opened(FANOUT), [...begun(), ...wholeFile("artists", 430)]);
  const marker = activateRun(other, TOPIC, new Date("2026-02-02T00:00:00.000Z"));
  return play(
    marker,
    [
      ...begun(),
      ...wholeFile("artists"),
      startOf("labels"),
      { type: "progress", file: fileOf("labels"), checkpoint: checkpoint(5000, windowChars), batches: 50 },
    ],
    "2026-02-02T00:00:01.000Z",
  );
}
