import fc from "fast-check";
import { afterAll, beforeAll, expect, test } from "vitest";
import {
  appendLedger,
  closeIndex,
  closeLedger,
  corrections,
  type Detect,
  deletionCount,
  deletions,
  indexEntries,
  ledgerCounts,
  markCorrected,
  markDeleted,
  mergeIndex,
  openIndex,
  openLedger,
  syncLedger,
  verifyIndex,
  xxh3_64,
} from "../../native/index.js";
import { cases, figure, timeoutMs } from "../system/support/scale.ts";
import { type Came, hashOf, isNameless, keyOf, Model } from "./model.ts";
import { type Label, NativeMonths, xmlOf } from "./native-month.ts";
import { idOf } from "./oracle.ts";

const CASES = cases(250, 10_000);
const BLOCK_RECORDS = 64;
const NUMBERS = 150;
const ODD = ["007", "x", "Ünter", "9007199254740993", "-1", "1.0", "9007199254740991", "0"];
const NAMELESS = 6;
const IDS: readonly (string | null)[] = [
  ...Array.from({ length: NUMBERS }, (_, n) => String(1 + n * 37)),
  ...ODD,
  ...Array.from({ length: NAMELESS }, () => null),
];
const CONTENTS = 3;
const FORMS = 2;

const label = fc.nat(IDS.length * CONTENTS * FORMS - 1).map((n): Label => {
  const id = IDS[n % IDS.length] ?? null;
  const rest = Math.floor(n / IDS.length);
  return { id, content: rest % CONTENTS, form: Math.floor(rest / CONTENTS) };
});
/** How a run ends; an interrupted one has appended so many pieces, and if these are all, told of so many deletions. */
const end = fc.oneof(
  { weight: 4, arbitrary: fc.constant({ kind: "drop" } as const) },
  { weight: 1, arbitrary: fc.constant({ kind: "keep" } as const) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("partly" as const), portion: fc.integer({ min: 1, max: 40 }) }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant("broken" as const), pieces: fc.oneof(fc.nat(6), fc.nat(30)), portion: fc.nat(40) }) },
);
const month = fc.record({
  /** Records that have nothing to do with the month before. */
  fresh: fc.array(label, { maxLength: 200, size: "max" }),
  /** The month before is taken instead, if it had any. */
  keeps: fc.constantFrom(true, true, true, false),
  edits: fc.array(fc.record({ place: fc.nat(10_000), label, what: fc.constantFrom("put", "remove", "insert") }), { maxLength: 40, size: "max" }),
  sorted: fc.boolean(),
  chunkBytes: fc.constantFrom(1, 300, 2000, 100_000),
  trust: fc.constantFrom("raw" as const, "raw" as const, "hash" as const),
  publish: fc.constantFrom("changes" as const, "changes" as const, "all" as const),
  reopenAt: fc.option(fc.nat(20)),
  /** Where it is killed and goes on before, so many checkpoints back. */
  rewinds: fc.array(fc.record({ at: fc.nat(15), back: fc.nat(15) }), { maxLength: 2 }),
  end,
});
type Month = typeof month extends fc.Arbitrary<infer M> ? M : never;

/** Where a killed run goes on: with how much of the ledger, null for none, of the dump, and of what was published. */
interface Checkpoint {
  readonly length: number | null;
  readonly pieces: number;
  readonly read: number;
  readonly published: number;
}

let months: NativeMonths;
beforeAll(async () => {
  months = await NativeMonths.create();
});
afterAll(() => months[Symbol.asyncDispose]());

test(`${CASES} histories of months through index files are those of the naive model`, { timeout: timeoutMs(120_000, 1_800_000) }, async () => {
  const seen = { months: 0, broken: 0, rewound: 0, brokenBehind: 0, corrected: 0, deleted: 0, blocks: 0, created: 0, updated: 0, unchanged: 0 };
  await fc.assert(
    fc.asyncProperty(fc.array(month, { minLength: 2, maxLength: 4, size: "max" }), async (history) => {
      const run = new History(seen);
      try {
        for (const next of history) await run.month(next);
      } finally {
        run.close();
      }
    }),
    { numRuns: CASES },
  );
  figure("change model", { cases: CASES, ...seen });
  expect(Math.min(seen.broken, seen.rewound, seen.corrected, seen.deleted, seen.created, seen.updated, seen.unchanged)).toBeGreaterThan(CASES / 10);
  expect(seen.brokenBehind).toBeGreaterThan(CASES / 200);
});

/** Months one after the other, with what consumers have: one has heard all, another nothing of the runs that broke off. */
class History {
  readonly #seen: Record<string, number>;
  readonly #model = new Model();
  readonly #consumers = [new Map<string, string>(), new Map<string, string>()];
  #records: Label[] = [];
  #index: number | null = null;
  #generation = 0;
  #runs = 0;

  constructor(seen: Record<string, number>) {
    this.#seen = seen;
  }

  async month(how: Month): Promise<void> {
    this.#records = edited(this.#records, how);
    const xml = this.#records.map(xmlOf);
    await months.write(xml);
    const full = [...months.pieces({ chunkBytes: 1_000_000 })].flatMap(({ bodies }) => bodies);
    expect(full.length).toBe(xml.length);
    const came = full.map((body, at): Came => ({ key: keyOf(body), body, raw: xxh3_64(Buffer.from(xml[at] ?? "")) }));
    this.#count("months", 1);

    const options = { path: months.path("ledger"), header: JSON.stringify({ run: this.#runs++ }), ...(this.#index === null ? {} : { index: this.#index }) };
    let ledger = openLedger(options);
    try {
      const detect: Detect = { trust: how.trust, publish: how.publish, ...(this.#index === null ? {} : { index: this.#index }) };
      let published: { body: string; kind: number }[] = [];
      const checkpoints: Checkpoint[] = [{ length: null, pieces: 0, read: 0, published: 0 }];
      const rewinds = [...how.rewinds];
      let [furthest, broken, isOver] = [0, false, false];
      while (!isOver) {
        isOver = true;
        let place = 0;
        for (const { bodies, kinds, log, read: records } of months.pieces({ chunkBytes: how.chunkBytes, detect })) {
          const { pieces, read } = last(checkpoints);
          place += 1;
          if (place <= pieces) continue; // behind the checkpoint
          // Its last attempt may end before an earlier one did.
          broken = how.end.kind === "broken" && pieces === how.end.pieces && rewinds.length === 0;
          if (broken) break;
          if (log === null) throw new Error("no log");
          const { length } = ledgerCounts(ledger);
          const grown = appendLedger(ledger, log);
          expect(ledgerCounts(ledger).length).toBe(length + grown.length - length);
          published.push(...bodies.map((body, at) => ({ body, kind: kinds[at] ?? -1 })));
          if (pieces === how.reopenAt) ledger = await reopened(ledger, options);
          checkpoints.push({ length: ledgerCounts(ledger).length, pieces: place, read: read + records, published: published.length });
          furthest = Math.max(furthest, read + records);
          if (rewinds[0]?.at !== pieces) continue;
          // What lies behind the checkpoint no longer counts, but some have heard it.
          deliver(this.#consumers[0] ?? new Map(), published, []);
          checkpoints.splice(Math.max(1, checkpoints.length - (rewinds.shift()?.back ?? 0)));
          ledger = await rewound(ledger, options, last(checkpoints));
          published = published.slice(0, last(checkpoints).published);
          this.#count("rewound", 1);
          isOver = false;
          break;
        }
      }
      if (broken && furthest > last(checkpoints).read) this.#count("brokenBehind", 1);
      if (broken) await this.#breakOff(ledger, came.slice(0, furthest), published, []);
      else await this.#end(ledger, came, published, how);
    } finally {
      closeLedger(ledger);
    }
  }

  async #end(ledger: number, came: readonly Came[], published: readonly { body: string; kind: number }[], { end, publish }: Month): Promise<void> {
    const expected = this.#model.compare(came);
    const { created, updated, unchanged, repeated } = ledgerCounts(ledger);
    expect({ created, updated, unchanged, repeated }).toEqual({
      created: expected.created.length,
      updated: expected.updated.length,
      unchanged: expected.unchanged,
      repeated: expected.repeated,
    });
    if (publish === "all") expect(published.map(({ body }) => body)).toEqual(came.map(({ body }) => body));

    const only = corrections(ledger);
    const again = only.length === 0 ? [] : [...months.pieces({ chunkBytes: 500, only })].flatMap(({ bodies }) => bodies);
    this.#count("corrected", again.length);
    const all = [...published, ...again.map((body) => ({ body, kind: 2 }))];
    this.#expectPublished(came, all, expected);
    markCorrected(ledger);
    expect(corrections(ledger).length).toBe(0);

    const max = end.kind === "partly" || end.kind === "broken" ? Math.max(1, end.portion) : 25;
    const gone = tombstones(ledger, max);
    expect(deletionCount(ledger)).toBe(expected.gone.length);
    expect(new Map(gone.flatMap(({ of }) => [...of]))).toEqual(new Map(expected.gone.map((key) => [key, this.#model.known.get(key)?.hashes])));
    this.#count("deleted", expected.gone.length);
    if (end.kind === "broken")
      return this.#breakOff(ledger, came, all, end.portion === 0 ? [] : gone.slice(0, 1).flatMap(({ of }) => [...of]), end.portion > 0);

    const sent = end.kind === "drop" ? gone : end.kind === "partly" ? gone.slice(0, 1) : [];
    for (const consumer of this.#consumers)
      deliver(
        consumer,
        all,
        sent.flatMap(({ of }) => [...of]),
      );
    if (end.kind !== "keep") markDeleted(ledger, 0);
    for (const { next } of sent) markDeleted(ledger, next);
    const told = new Set(sent.flatMap(({ of }) => [...of.keys()]));
    const drops = end.kind === "drop" || (end.kind === "partly" && sent.at(-1)?.next === null);
    const stays = (key: string) => !drops && !told.has(key) && !(isNameless(key) && end.kind === "partly");
    const keptNameless = end.kind === "partly" && !drops;
    await this.#merge(ledger, drops ? "drop" : "keep", false);
    if (keptNameless) {
      // Records without an id come last in an index: behind whatever was confirmed.
      this.#model.conclude(came, (key) => !told.has(key));
    } else this.#model.conclude(came, stays);
    // Behind what was confirmed any may have been told.
    if (end.kind === "partly" && !drops)
      this.#model.fold(
        [],
        expected.gone.filter((key) => !told.has(key)),
      );
    this.#expectIndex();
    this.#expectConsumers();
  }

  /** The run ends nowhere: one consumer has heard it, another has not. What was held back may have been delivered at the end, too. */
  async #breakOff(ledger: number, came: readonly Came[], published: readonly { body: string }[], told: [string, Set<string>][], begun = false): Promise<void> {
    this.#count("broken", 1);
    const gone = begun ? tombstones(ledger, 1_000_000).flatMap(({ of }) => [...of.keys()]) : [];
    if (begun) markDeleted(ledger, 0);
    deliver(this.#consumers[0] ?? new Map(), published, told);
    await this.#merge(ledger, "keep", true);
    const changed = came.map(({ body }) => body).filter((body) => !this.#isKept(body));
    this.#model.fold(changed, gone);
    this.#expectIndex();
  }

  #isKept(body: string): boolean {
    const known = this.#model.known.get(keyOf(body));
    return known !== undefined && !known.dirty && known.hashes.has(hashOf(body));
  }

  /** A record whose id comes once is published once, with what it is, or never. */
  #expectPublished(
    came: readonly Came[],
    published: readonly { body: string; kind: number }[],
    { created, updated, last }: ReturnType<Model["compare"]>,
  ): void {
    const times = new Map<string, number>();
    for (const { key } of came) times.set(key, (times.get(key) ?? 0) + 1);
    const single = (key: string) => times.get(key) === 1;
    const of = (wanted: number) => published.filter(({ kind, body }) => kind === wanted && single(keyOf(body))).map(({ body }) => keyOf(body));
    expect(of(1).sort()).toEqual(created.filter(single).sort());
    expect(of(2).sort()).toEqual(updated.filter(single).sort());
    this.#count("created", created.length);
    this.#count("updated", updated.length);
    this.#count("unchanged", last.size - created.length - updated.length);
  }

  async #merge(ledger: number, pending: "keep" | "drop", dirty: boolean): Promise<void> {
    await syncLedger(ledger);
    this.#generation += 1;
    const out = months.path(`${this.#generation % 2}.idx`);
    await mergeIndex({ ledger, out, meta: "{}", pending, dirty, blockRecords: BLOCK_RECORDS });
    this.close();
    this.#index = openIndex(out);
    this.#count("blocks", Math.ceil((await verifyIndex(this.#index)) / BLOCK_RECORDS));
  }

  /** Bytes of records without an id say nothing: they are always parsed. */
  #expectIndex(): void {
    const { ids, hashes, raws, flags } = indexEntries(this.#index ?? -1, 0, 1_000_000);
    const entries = ids.map((id, at) => {
      const hash = Buffer.from(hashes.subarray(16 * at, 16 * at + 16)).toString("hex");
      const flag = flags[at] ?? 0;
      return `${id ?? "nameless"} ${hash} ${id === null ? "" : raws[at]} ${flag & 2 ? "dirty" : ""} ${id !== null && flag & 1 ? "multi" : ""}`;
    });
    const expected = [...this.#model.known].flatMap(([key, { hashes, raw, dirty, multi }]) =>
      [...hashes].map((hash) => `${isNameless(key) ? "nameless" : key} ${hash} ${isNameless(key) ? "" : raw} ${dirty ? "dirty" : ""} ${multi ? "multi" : ""}`),
    );
    expect(entries.sort()).toEqual(expected.sort());
  }

  /** Of what is known for certain, every consumer has just that; of the rest, what is thought possible, or nothing. */
  #expectConsumers(): void {
    for (const consumer of this.#consumers) {
      for (const [key, { hashes, dirty }] of this.#model.known) {
        const has = consumer.get(key);
        if (isNameless(key) || (dirty && has === undefined)) continue;
        expect([key, hashes.has(hashOf(has ?? '{"sha256":""}'))]).toEqual([key, true]);
      }
      expect([...consumer.keys()].filter((key) => !this.#model.known.has(key))).toEqual([]);
    }
  }

  #count(what: string, by: number): void {
    this.#seen[what] = (this.#seen[what] ?? 0) + by;
  }

  close(): void {
    if (this.#index !== null) closeIndex(this.#index);
    this.#index = null;
  }
}

function edited(before: readonly Label[], { fresh, keeps, edits, sorted }: Month): Label[] {
  const records = [...(keeps && before.length > 0 ? before : fresh)];
  for (const { place, label, what } of edits) {
    const at = records.length === 0 ? 0 : place % records.length;
    records.splice(at, what === "insert" ? 0 : 1, ...(what === "remove" ? [] : [label]));
  }
  return sorted ? records.sort((a, b) => Number(a.id ?? 0) - Number(b.id ?? 0) || 0) : records;
}

async function reopened(ledger: number, options: { path: string; header: string; index?: number }): Promise<number> {
  const length = await syncLedger(ledger);
  const before = ledgerCounts(ledger);
  closeLedger(ledger);
  const again = openLedger({ ...options, length });
  expect(ledgerCounts(again)).toEqual(before);
  return again;
}

/** Kills the run, and goes on at a checkpoint: with the same counts as there. */
async function rewound(ledger: number, options: { path: string; header: string; index?: number }, { length }: Checkpoint): Promise<number> {
  await syncLedger(ledger);
  closeLedger(ledger);
  return openLedger({ ...options, ...(length === null ? {} : { length }) });
}

function last(checkpoints: readonly Checkpoint[]): Checkpoint {
  const checkpoint = checkpoints.at(-1);
  if (checkpoint === undefined) throw new Error("the beginning is always there");
  return checkpoint;
}

/** All that is gone, in portions: hashes by id. */
function tombstones(ledger: number, max: number): { of: Map<string, Set<string>>; next: number | null }[] {
  const portions: { of: Map<string, Set<string>>; next: number | null }[] = [];
  for (let from: number | null = 0; from !== null; ) {
    const { ids, hashes, next }: ReturnType<typeof deletions> = deletions(ledger, from, max);
    const of = new Map<string, Set<string>>();
    for (const [at, id] of ids.entries()) of.set(id, (of.get(id) ?? new Set()).add(hashes[at] ?? ""));
    portions.push({ of, next });
    from = next;
  }
  return portions;
}

function deliver(consumer: Map<string, string>, published: readonly { body: string }[], told: readonly [string, Set<string>][]): void {
  for (const { body } of published) if (!isNameless(keyOf(body))) consumer.set(idOf(body), body);
  for (const [id, hashes] of told) {
    const has = consumer.get(id);
    if (has !== undefined && hashes.has(hashOf(has))) consumer.delete(id);
  }
}
