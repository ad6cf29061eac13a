import { readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { gunzipSync, gzipSync } from "node:zlib";
import { nextMonth } from "../../generate/months.ts";
import { dumpPath, makeDump } from "./dumps.ts";

/** Three months, the second and third made of the one before. */
export const MONTHS = [
  { name: "A", version: "20260801" },
  { name: "B", version: "20260901" },
  { name: "C", version: "20261001" },
] as const;

/** What the artists of a month have beside what is generated: an id that is no number and changes, a record without an id, an id that comes twice. */
const ODD: Readonly<Record<string, string>> = {
  A: "<artist><id>007</id><name>Bond</name></artist><artist><name>Nameless</name></artist><artist><id>x-1</id><name>X</name></artist>",
  B: "<artist><id>007</id><name>James Bond</name></artist><artist><name>Nameless</name></artist><artist><id>x-1</id><name>X</name></artist>",
  C: "<artist><id>007</id><name>James Bond</name></artist><artist><id>y-1</id><name>Y</name></artist><artist><id>y-1</id><name>Z</name></artist>",
};

/** Writes the three months into folders `A`, `B` and `C`. */
export async function makeTrio(folder: string, records: number, seed = 1): Promise<void> {
  const part = Math.ceil(records / 4);
  const at = (name: string) => join(folder, name);
  await makeDump(at("A"), { artists: records, labels: part, masters: part, releases: part, seed });
  await nextMonth({ from: at("A"), out: at("B"), version: MONTHS[1].version, changes: "created=3%,updated=5%,deleted=0.7%", seed });
  const changes = "created=2%,updated=3%,deleted=0.5%,returned=1";
  await nextMonth({ from: at("B"), out: at("C"), version: MONTHS[2].version, changes, returnedFrom: at("A"), seed });
  for (const { name, version } of MONTHS) {
    const path = dumpPath(at(name), "artists", version);
    const xml = gunzipSync(await readFile(path)).toString();
    await writeFile(path, gzipSync(xml.replace("</artists>", `${ODD[name]}</artists>`), { level: 1 }));
    await rm(join(at(name), `discogs_${version}_CHECKSUM.txt`));
  }
}
