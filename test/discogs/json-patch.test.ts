import fc from "fast-check";
import { applyPatch } from "rfc6902";
import { expect, it } from "vitest";
import { patchOf, stepsBetween } from "../../src/discogs/json-patch.ts";

const key = fc.constantFrom("a", "b/", "c~", "~1", "__proto__", "");
const { value } = fc.letrec<{ value: null }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 4 },
    fc.constantFrom("x", "y", "z") as fc.Arbitrary<unknown>,
    fc.constant(null),
    fc.array(tie("value"), { maxLength: 9 }),
    fc.dictionary(
      key.filter((name) => name !== "__proto__"),
      tie("value"),
      { maxKeys: 4 },
    ),
  ) as fc.Arbitrary<null>,
}));

it("makes any body of any other, by another engine", () => {
  fc.assert(
    fc.property(value, value, (from, to) => {
      const document = { value: structuredClone(from) };
      const patch = patchOf(stepsBetween({ value: from }, { value: to })) as Parameters<typeof applyPatch>[1];
      expect(applyPatch(document, structuredClone(patch)).filter((error) => error !== null)).toEqual([]);
      expect(document).toEqual({ value: to });
    }),
    { numRuns: 3000 },
  );
});

it("says what was taken away and put in, wherever a list was cut", () => {
  const track = (n: number) => ({ position: String(n), title: `Track ${n}` });
  const tracks = Array.from({ length: 2000 }, (_, n) => track(n));
  const without = tracks.filter((_, n) => n !== 1000);
  expect(patchOf(stepsBetween({ t: tracks }, { t: without }))).toEqual([{ op: "remove", path: "/t/1000" }]);
  expect(patchOf(stepsBetween({ t: without }, { t: tracks }))).toEqual([{ op: "add", path: "/t/1000", value: track(1000) }]);
  const renamed = tracks.map((one, n) => (n === 7 ? { ...one, title: "Other" } : one)).slice(1);
  expect(patchOf(stepsBetween({ t: tracks }, { t: renamed }))).toEqual([
    { op: "remove", path: "/t/0" },
    { op: "replace", path: "/t/6/title", value: "Other" },
  ]);
});

it("ends in time and within memory where nothing is where it was", () => {
  const items = Array.from({ length: 5000 }, (_, n) => `item ${n}`);
  const document = { t: [...items] };
  const reversed = [...items].reverse();
  const patch = patchOf(stepsBetween(document, { t: reversed })) as Parameters<typeof applyPatch>[1];
  applyPatch(document, patch);
  expect(document.t).toEqual(reversed);
});
