import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gunzipSync, gzipSync } from "node:zlib";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { makeDumps } from "./dumps.ts";
import { SHARES, type Shape, type Spread, shapeOf } from "./shape.ts";

/** Generated values may be off by this share of the value measured on real dumps. */
const TOLERANCE = 0.25;
const TIMEOUT_MS = 120_000;
const COUNTS = { releases: 9_000, artists: 30_000, masters: 12_000, labels: 30_000 };
const FORMS = ["2026", "2020"] as const;

type Root = keyof typeof COUNTS;
type Form = (typeof FORMS)[number];

const spread = (mean: number, ...quantiles: number[]): Spread => ({ mean, quantiles });

/**
 * Measured on excerpts of the dump of 2020-08; the form of 2026 leaves out images, status, addresses and empty elements.
 * Labels of the whole range were measured in the older form only, and the sub-labels of that excerpt were partly lost.
 */
const BYTES: Record<Form, Record<Root, Spread>> = {
  "2026": {
    releases: spread(3754, 918, 1754, 2739, 4424, 7327, 9915),
    masters: spread(1019, 298, 354, 584, 1158, 2220, 3395),
    artists: spread(272, 100, 107, 114, 213, 514, 904),
    labels: spread(243, 99, 107, 116, 199, 532, 867),
  },
  "2020": {
    releases: spread(4714, 1197, 2239, 3424, 5535, 8849, 12019),
    masters: spread(1306, 444, 608, 897, 1468, 2481, 3866),
    artists: spread(326, 119, 126, 133, 246, 618, 1124),
    labels: spread(243, 99, 107, 116, 199, 532, 867),
  },
};
const RELEASE_ELEMENTS: Record<Form, Spread> = {
  "2026": spread(123.9, 32, 59, 85, 142, 231, 337),
  "2020": spread(171.7, 44, 78, 111, 195, 319, 482),
};
const RELEASE_DEPTH = spread(5.4, 5, 5, 5, 6, 6, 6);
/** Share of the releases that are nested so deep; the others are 0.2 % with credits of sub-tracks. */
const RELEASE_DEPTH_SHARES = new Map([
  [4, 0.021],
  [5, 0.558],
  [6, 0.419],
]);

let folder: string;
const dumps = new Map<string, Buffer>();
const shapes = new Map<string, Shape>();

function taken<T>(from: Map<string, T>, form: Form, root: Root): T {
  const found = from.get(`${form} ${root}`);
  if (found === undefined) throw new Error(`no dump of ${root} in the form of ${form}`);
  return found;
}

/** Checks mean and quantiles, and names all that are off in one message. */
function expectNear(actual: Spread, target: Spread): void {
  const near = (value: number, wanted: number) => Math.abs(value - wanted) <= wanted * TOLERANCE;
  const off = SHARES.flatMap((share, at) => {
    const [value, wanted] = [actual.quantiles[at] ?? 0, target.quantiles[at] ?? 0];
    return near(value, wanted) ? [] : [`${share} %: ${value}, not ${wanted}`];
  });
  if (!near(actual.mean, target.mean)) off.push(`mean: ${actual.mean}, not ${target.mean}`);
  expect(off).toEqual([]);
}

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "deadwax-profile-"));
  for (const form of FORMS) {
    const out = join(folder, form);
    await makeDumps({ ...COUNTS, seed: 7, out, version: "20260801", form, threads: 2 });
    for (const root of Object.keys(COUNTS) as Root[]) {
      const xml = gunzipSync(readFileSync(join(out, `discogs_20260801_${root}.xml.gz`)));
      dumps.set(`${form} ${root}`, xml);
      shapes.set(`${form} ${root}`, shapeOf(xml, root));
    }
  }
}, TIMEOUT_MS);

afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe.each(FORMS)("in the form of %s", (form) => {
  test.each(Object.keys(COUNTS) as Root[])("%s have the sizes of real ones", (root) => {
    const shape = taken(shapes, form, root);
    expect(shape.records).toBe(COUNTS[root]);
    expectNear(shape.bytes, BYTES[form][root]);
  });

  test("releases have the elements of real ones", () => {
    expectNear(taken(shapes, form, "releases").elements, RELEASE_ELEMENTS[form]);
  });

  test("releases are nested as deep as real ones", () => {
    const shape = taken(shapes, form, "releases");
    expectNear(shape.depth, RELEASE_DEPTH);
    for (const [depth, share] of RELEASE_DEPTH_SHARES) {
      const actual = shape.depthShares.get(depth) ?? 0;
      expect(Math.abs(actual - share), `depth ${depth}: ${actual}`).toBeLessThanOrEqual(share * TOLERANCE);
    }
  });

  test("masters are nested as deep as real ones", () => {
    expect(taken(shapes, form, "masters").depth.quantiles).toEqual([4, 4, 4, 4, 4, 4]);
  });
});

test(
  "releases compress like real ones",
  () => {
    const xml = taken(dumps, "2026", "releases");
    const ratio = xml.length / gzipSync(xml, { level: 6 }).length;
    expect(ratio).toBeGreaterThan(4.5);
    expect(ratio).toBeLessThan(6.5);
  },
  TIMEOUT_MS,
);

test("about half of the artists and two thirds of the labels have nothing but id, name and quality", () => {
  const bare = (root: Root) => {
    const shape = taken(shapes, "2026", root);
    return shape.elements.quantiles.slice(0, 3);
  };
  expect(bare("artists")).toEqual([4, 4, 4]);
  expect(bare("labels")).toEqual([4, 4, 4]);
  expect(taken(shapes, "2026", "artists").elements.quantiles[3]).toBeGreaterThan(4);
});

test("labels have sub-labels", () => {
  expect(taken(dumps, "2026", "labels").includes("<sublabels><label id=")).toBe(true);
});

test("references and letters beyond ASCII are as usual as in real dumps", () => {
  const xml = taken(dumps, "2026", "releases");
  const text = xml.toString("latin1");
  const perKibibyte = (wanted: RegExp) => ((text.match(wanted)?.length ?? 0) * 1024) / text.length;
  // Measured: 0.26 to 0.48, 0.35 to 0.69, 0.006 to 0.011, 0.001 to 0.014, 0.50 to 0.93 %.
  expect(perKibibyte(/&amp;/g)).toBeGreaterThan(0.2);
  expect(perKibibyte(/&amp;/g)).toBeLessThan(0.6);
  expect(perKibibyte(/&#13;/g)).toBeGreaterThan(0.26);
  expect(perKibibyte(/&#13;/g)).toBeLessThan(0.86);
  expect(perKibibyte(/&[lg]t;/g)).toBeGreaterThan(0.004);
  expect(perKibibyte(/&[lg]t;/g)).toBeLessThan(0.014);
  expect(perKibibyte(/&quot;|&#9;/g)).toBeGreaterThan(0.0008);
  expect(perKibibyte(/&quot;|&#9;/g)).toBeLessThan(0.018);
  const beyond = xml.reduce((count, byte) => count + (byte > 127 ? 1 : 0), 0) / xml.length;
  expect(beyond).toBeGreaterThan(0.004);
  expect(beyond).toBeLessThan(0.013);
});
