import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { gunzipSync } from "node:zlib";
import { CONTRACTS, DATA_TYPES, type DataType } from "deadwax";
import { Bench } from "tinybench";
import { closeVerify, openVerify, parseRecords, sha256, splitRecords, verifyStep, xxh3_64, xxh3_128 } from "../../native/index.js";
import type { Dump, Dumps } from "./dumps.ts";
import { equal } from "./programs.ts";
import { ReadBack } from "./read-back.ts";
import type { PartSpeed } from "./results.ts";

/** XML of one call, about what a piece of a dump has. */
const PIECE_BYTES = 1024 * 1024;
const SLOT_BYTES = 4 * PIECE_BYTES;
const VERIFY_STEP_BYTES = 4 * 1024 * 1024;
const INFLATE_RATIO_MAX = 1_000;
/** About a release, and a piece. */
const HASHED_BYTES = [4096, 1048576] as const;
/** Of the pattern below, by the reference implementation of xxHash: another library than the one that is measured. */
const XXH3 = {
  4096: ["a3c19f8174cde0bb", "49d3842b33d51e8aa3c19f8174cde0bb"],
  1048576: ["269eb834f6c110a9", "e3503d8de40743b7269eb834f6c110a9"],
} as const;

interface Part {
  readonly name: string;
  readonly bytes: number;
  /** Asserts what it gives as well. */
  run(): void;
}

/** Measures the parts of the native core alone, each on one thread, for about so many milliseconds. */
export function measureParts(dumps: Dumps, timeMs: number): PartSpeed[] {
  const parts = [...inflateParts(dumps.releases), ...DATA_TYPES.flatMap((type) => recordParts(type, dumps[type])), ...hashParts()];
  const bench = new Bench({ time: timeMs, iterations: 5, warmupTime: 0, warmupIterations: 1, throws: true });
  for (const { name, run } of parts) bench.add(name, run);
  return bench.runSync().map((task, index) => {
    const part = parts[index];
    if (part === undefined || task.result.state !== "completed") throw new Error(`${task.name}: ${task.result.state}`);
    const { p50, min, max } = task.result.latency;
    const rate = (latencyMs: number) => part.bytes / 1e6 / (latencyMs / 1e3);
    return { part: part.name, bytes: part.bytes, megabytesPerSecond: { median: rate(p50), min: rate(max), max: rate(min) } };
  });
}

function inflateParts({ file, xmlBytes }: Dump): Part[] {
  return (["zlib-ng", "zlib-rs"] as const).map((backend) => ({
    name: `inflate ${backend}`,
    bytes: xmlBytes,
    run: () => {
      const handle = openVerify({
        path: file,
        backend,
        sha256: false,
        inflate: true,
        inflatedBytesMax: Number.MAX_SAFE_INTEGER,
        inflateRatioMax: INFLATE_RATIO_MAX,
      });
      try {
        let step = verifyStep(handle, VERIFY_STEP_BYTES);
        while (!step.done && !step.fault) step = verifyStep(handle, VERIFY_STEP_BYTES);
        equal(`inflate ${backend}: fault`, step.fault?.message, undefined);
        equal(`inflate ${backend}: bytes`, step.inflatedBytes, xmlBytes);
      } finally {
        closeVerify(handle);
      }
    },
  }));
}

function recordParts(type: DataType, dump: Dump): Part[] {
  const piece = firstRecords(type, dump);
  const [records, bytes] = splitRecords(piece, type);
  const xml = piece.subarray(0, bytes);
  equal(`split ${type}: records, by their closing tags`, records, closingTags(xml, type));
  const split = {
    name: `split ${type}`,
    bytes,
    run: () => equal(`split ${type}: bytes`, splitRecords(xml, type)[1], bytes),
  };
  const slot = new Uint8Array(SLOT_BYTES);
  const parse = CONTRACTS.map((contract) => {
    const name = `parse ${type} ${contract}`;
    const kind = { dataType: type, contract };
    const first = parseRecords(xml, kind, slot);
    const bodies = new ReadBack();
    bodies.add(Buffer.from(slot.subarray(0, first.bytes)));
    equal(`${name}: records`, bodies.records, records);
    equal(`${name}: digest`, first.digest, bodies.contents().digest);
    return { name, bytes, run: () => equal(`${name}: digest`, parseRecords(xml, kind, slot).digest, first.digest) };
  });
  return [split, ...parse];
}

/** The XML behind the root's start tag, a piece of it. */
function firstRecords(type: DataType, { file }: Dump): Buffer {
  const xml = gunzipSync(readFileSync(file));
  const start = xml.indexOf(`<${type.slice(0, -1)}`, xml.indexOf(`<${type}`) + 1);
  return Buffer.from(xml.subarray(start, start + PIECE_BYTES));
}

/** Counts records the simple way: only those at a line's end close a record, since sub-labels have the same name. */
function closingTags(xml: Buffer, type: DataType): number {
  return xml.toString("latin1").split(new RegExp(`</${type.slice(0, -1)}>(?=\\s*(?:\\n|$))`)).length - 1;
}

function hashParts(): Part[] {
  return HASHED_BYTES.flatMap((bytes) => {
    const data = Uint8Array.from({ length: bytes }, (_, at) => (at * 31 + 7) & 0xff);
    const size = bytes < PIECE_BYTES ? `${bytes / 1024} KiB` : `${bytes / PIECE_BYTES} MiB`;
    const [xxh3, xxh3Wide] = XXH3[bytes];
    const secure = createHash("sha256").update(data).digest("hex");
    const xxh3Value = BigInt(`0x${xxh3}`);
    return [
      { name: `sha256 ${size}`, bytes, run: () => equal("sha256", sha256(data), secure) },
      { name: `xxh3_64 ${size}`, bytes, run: () => equal("xxh3_64", xxh3_64(data), xxh3Value) },
      { name: `xxh3_128 ${size}`, bytes, run: () => equal("xxh3_128", xxh3_128(data), xxh3Wide) },
    ];
  });
}
