import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it, onTestFinished } from "vitest";
import { readProcessingState } from "../../src/state/upstream-files.ts";

const ARTISTS = "discogs_20260101_artists.xml.gz";
const LABELS = "discogs_20260101_labels.xml.gz";

async function read(text: string | null) {
  const root = await mkdtemp(join(tmpdir(), "deadwax-state-"));
  onTestFinished(() => rm(root, { recursive: true, force: true }));
  if (text !== null) await writeFile(join(root, ".processing_state.json"), text);
  const warnings: string[] = [];
  const finished = await readProcessingState(root, (warning) => void warnings.push(warning));
  return { finished: [...finished].sort(), warnings };
}

it.each([
  ["the Rust dialect", { files: { [ARTISTS]: true, [LABELS]: false } }, [ARTISTS]],
  ["the Python dialect", { [ARTISTS]: true, [LABELS]: false }, [ARTISTS]],
  ["a root that saw both", { files: { [ARTISTS]: true }, [LABELS]: true }, [ARTISTS, LABELS]],
  ["values that are no truth", { [ARTISTS]: "true", [LABELS]: 1 }, []],
  ["nothing yet, in Rust", { files: {} }, []],
  ["nothing yet, in Python", {}, []],
])("reads %s", async (_, state, finished) => {
  expect(await read(JSON.stringify(state))).toEqual({ finished, warnings: [] });
});

it("takes a root without it for one where nothing is finished", async () => {
  expect(await read(null)).toEqual({ finished: [], warnings: [] });
});

it.each(["", "{", "[]", "null", '{"files": []}', '{"files": true}', " ".repeat(2 ** 23)])(
  "warns of a file that is none (%#), and takes nothing for finished",
  async (text) => {
    expect(await read(text)).toEqual({ finished: [], warnings: [expect.stringContaining(".processing_state.json")] });
  },
);

it("warns of a file that cannot be read", async () => {
  const root = await mkdtemp(join(tmpdir(), "deadwax-state-"));
  onTestFinished(() => rm(root, { recursive: true, force: true }));
  await mkdir(join(root, ".processing_state.json"));
  const warnings: string[] = [];
  expect((await readProcessingState(root, (warning) => void warnings.push(warning))).size).toBe(0);
  expect(warnings).toEqual([expect.stringContaining("EISDIR")]);
});
