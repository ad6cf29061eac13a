import { expect } from "vitest";
import type { TypeReport } from "../../dist/discogs/request.js";
import type { DataType } from "../../src/model.ts";
import { type ChangeStream, countsOf, expectedChanges, idOf, idsOfTombstones, type Records, replay } from "./oracle.ts";
import type { FullVersion, How, Scene } from "./scene.ts";

/** What a run is held against. */
export interface Step {
  /** What downstream had before. */
  readonly before: Records;
  readonly after: FullVersion;
  readonly report: TypeReport | undefined;
  readonly stream: ChangeStream;
}

/** Holds a report and the files of a run against two full extractions; nothing may be held back. */
export function expectChanges(what: string, { before, after, report, stream }: Step): void {
  const expected = expectedChanges(before, after.last);
  const repeated = after.bodies.length - after.last.size;
  expect(report, what).toMatchObject({ ...countsOf(expected), repeated, pending: 0, rejected: 0, written: stream.records.length });
  const { read = 0, created = 0, updated = 0, unchanged = 0, empty = 0, skipped = 0 } = report ?? {};
  expect(created + updated + unchanged + repeated + empty + skipped, what).toBe(read);
  // Of an id that comes once, exactly one message or none; of one that comes several times, the last record comes last.
  const sent = stream.records.map(idOf);
  const once = (ids: readonly string[]) => ids.filter((id) => !after.repeated.has(id)).sort();
  expect(once(sent), what).toEqual(once([...expected.created, ...expected.updated]));
  expect(stream.deleted.length, what).toBe(expected.deleted.length);
  expect(idsOfTombstones(stream.deleted).sort(), what).toEqual([...expected.deleted].sort());
  expectSame(what, replay(before, stream), after.last);
}

/** Two states of downstream; told by ids, since a difference in thousands of bodies says nothing. */
export function expectSame(what: string, now: Records, wanted: Records): void {
  const differing = [...new Set([...now.keys(), ...wanted.keys()])].filter((id) => now.get(id) !== wanted.get(id));
  expect(differing.slice(0, 10), `${what}: ids that differ`).toEqual([]);
}

/** Runs a version and holds every data type of it against what was before; `before` is moved on. */
export async function runAndExpect(scene: Scene, name: string, how: How, before: Map<DataType, Records>): Promise<void> {
  const { reports, complete } = await scene.run(name, how);
  expect(complete).toBe(true);
  for (const type of how.types ?? scene.types) {
    const after = await scene.full(type, how.version, withoutChangeFlags(how));
    const stream = await scene.stream(name, type, how.version);
    expectChanges(`${name} ${how.version} ${type}`, { before: before.get(type) ?? new Map(), after, report: reports[type], stream });
    before.set(type, after.last);
  }
}

/** What of a run concerns a full extraction of the same version. */
export function withoutChangeFlags({ contract, from, flags = {} }: How): Partial<Omit<How, "version">> {
  const { dataQualityRules } = flags;
  return {
    ...(contract === undefined ? {} : { contract }),
    ...(from === undefined ? {} : { from }),
    ...(dataQualityRules === undefined ? {} : { flags: { dataQualityRules } }),
  };
}
