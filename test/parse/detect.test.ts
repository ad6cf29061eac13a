import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { DATA_TYPES, type DataType } from "../../dist/model.js";
import { ParsePool } from "../../dist/parse/pool.js";
import {
  appendLedger,
  closeIndex,
  closeLedger,
  corrections,
  type Detect,
  deletionCount,
  generate,
  indexEntries,
  indexInfo,
  type LedgerCounts,
  ledgerCounts,
  mergeIndex,
  openIndex,
  openLedger,
} from "../../native/index.js";

const LIMITS = {
  contract: "fanout",
  backend: "zlib-ng",
  checkpointRecords: 0,
  checkpointMs: 0,
  recordBytesMax: 64 << 20,
  depthMax: 64,
  attributesMax: 256,
  nameBytesMax: 1024,
  inflatedBytesMax: 2 ** 40,
  inflateRatioMax: 200,
  rejectRawBytesMax: 4096,
} as const;
const VERSION = "20260801";
/** Small, so that there are many pieces and blocks. */
const CHUNK_BYTES = 64 * 1024;
const BLOCK_RECORDS = 64;

let folder: string;
let pool: ParsePool;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "deadwax-detect-"));
  await generate({ releases: 2000, artists: 1500, masters: 900, labels: 800, seed: 6, out: folder, version: VERSION, form: "2026", threads: 1 });
  pool = new ParsePool({ threads: 2, chunkBytes: CHUNK_BYTES });
});

afterAll(async () => {
  await pool[Symbol.asyncDispose]();
  await rm(folder, { recursive: true });
});

interface Told {
  bodies: string[];
  kinds: number[];
  read: number;
  unchanged: number;
}

interface Way {
  readonly detect?: Detect;
  readonly only?: BigUint64Array;
  /** Is told of the pieces. */
  readonly ledger?: number;
}

/** Pulls a file to its end. */
async function pull(type: DataType, { detect, only, ledger }: Way): Promise<Told> {
  const told: Told = { bodies: [], kinds: [], read: 0, unchanged: 0 };
  const request = { ...LIMITS, path: join(folder, `discogs_${VERSION}_${type}.xml.gz`), dataType: type, resume: null } as const;
  await using pieces = pool.pull(type, { ...request, detect: detect ?? null, only: only ?? null });
  for await (const piece of pieces) {
    if (piece.error) throw piece.error;
    expect(piece.kinds?.length).toBe(detect && piece.records);
    expect(piece.log !== null).toBe(detect !== undefined);
    // In a slot, or in the piece's own memory: copies would pile up until somebody collects them.
    if (piece.log) expect(piece.log.buffer).toBe(piece.body.buffer);
    if (piece.log && ledger !== undefined) appendLedger(ledger, piece.log);
    const ends = [...piece.ends];
    told.bodies.push(...ends.map((end, i) => Buffer.from(piece.body.subarray(i > 0 ? (ends[i - 1] ?? 0) + 1 : 0, end)).toString()));
    told.kinds.push(...(piece.kinds ?? []));
    told.read += piece.read;
    told.unchanged += piece.unchanged;
    piece.release();
  }
  return told;
}

/** Pulls a file as one of which downstream has nothing, and writes the index of it. */
async function baseline(type: DataType): Promise<{ first: Told; index: number; counts: LedgerCounts }> {
  const ledger = openLedger({ path: join(folder, `${type}.ledger`), header: "{}" });
  const first = await pull(type, { detect: { trust: "raw", publish: "changes" }, ledger });
  const counts = ledgerCounts(ledger);
  const out = join(folder, `${type}.idx`);
  await mergeIndex({ ledger, out, meta: "{}", pending: "drop", dirty: false, blockRecords: BLOCK_RECORDS });
  closeLedger(ledger);
  return { first, index: openIndex(out), counts };
}

for (const type of DATA_TYPES) {
  test(`${type}: all are created against nothing, and none comes out against the index of them`, async () => {
    const { first, index, counts } = await baseline(type);
    expect(new Set(first.kinds)).toEqual(new Set([1]));
    expect(first.bodies.length).toBe(first.read);
    expect(counts).toMatchObject({ created: indexInfo(index).records, updated: 0, unchanged: 0 });

    const ledger = openLedger({ index });
    const again = await pull(type, { detect: { index, trust: "raw", publish: "changes" }, ledger });
    expect(again).toMatchObject({ bodies: [], kinds: [], read: first.read, unchanged: first.read });
    expect(ledgerCounts(ledger)).toMatchObject({ created: 0, updated: 0, unchanged: first.read, touched: 0, repeated: 0 });
    expect([deletionCount(ledger), corrections(ledger).length]).toEqual([0, 0]);
    closeLedger(ledger);

    // Rules that changed make no difference where the bodies are the same.
    const reread = await pull(type, { detect: { index, trust: "hash", publish: "changes" } });
    expect(reread).toMatchObject({ bodies: [], unchanged: first.read });
    closeIndex(index);
  });
}

test("all records come out where that is asked, and say what they were", async () => {
  const { first, index } = await baseline("labels");
  const all = await pull("labels", { detect: { index, trust: "raw", publish: "all" } });
  expect(all.bodies).toEqual(first.bodies);
  expect(new Set(all.kinds)).toEqual(new Set([0]));
  closeIndex(index);
});

test("only wanted records come out, also if they are as they were", async () => {
  const { first, index } = await baseline("masters");
  const { raws, ids } = indexEntries(index, 100, 5);
  const only = raws.toSorted();
  const told = await pull("masters", { only });
  expect(told.bodies.map((body) => JSON.parse(body).id)).toEqual(ids);
  expect(told).toMatchObject({ kinds: [], read: first.read, unchanged: first.read - ids.length });
  const compared = await pull("masters", { only, detect: { index, trust: "raw", publish: "all" } });
  expect(compared).toMatchObject({ bodies: told.bodies, kinds: ids.map(() => 0) });
  closeIndex(index);
});
