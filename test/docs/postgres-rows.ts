import { createHash } from "node:crypto";
import { type Contract, DATA_TYPES, type DataType } from "../../src/model.ts";
import { openSink } from "../../src/sink/index.ts";
import type { Database } from "../services/database.ts";
import { batchOf, NEVER } from "../sink/batches.ts";
import { corpusFiles, goldenBodies } from "../support/corpus.ts";

/** A document as JSON has it. */
export type Document = { readonly id: string; readonly [key: string]: unknown };

/** Rows that no question asks for, so many that a table is not read whole for want of anything better to do. */
const FILLERS = 20_000;
const VERSION = "20260801";

/** Records that the documents' questions ask for and the corpus may lack, in the shape of a contract. */
function wanted(dataType: DataType, contract: Contract): Document[] {
  const by = (id: string, name: string) => (contract === "topic" ? { artist: { id, name } } : [{ id, name }]);
  const on = (id: string, name: string) => (contract === "topic" ? { label: [{ "@id": id, "@name": name, "@catno": "X 1" }] } : [{ id, name, catno: "X 1" }]);
  const records: Record<DataType, Document[]> = {
    artists: [
      { id: "23755", name: "Miles Davis", profile: "Trumpeter" },
      { id: "9000001", name: "Miles Davis Quintet" },
      { id: "9000002", name: "Svek Allstars" },
    ],
    labels: [
      { id: "9000003", name: "Miles Davies" },
      { id: "5", name: "Svek" },
    ],
    masters: [
      { id: "9000004", title: "Mils Davies", year: "1959" },
      { id: "9000005", title: "The Sveks Of Stockholm", year: "1999" },
    ],
    releases: [
      { id: "9000006", title: "The Dark Side Of The Moon", released: "1973-03-01", artists: by("45467", "Pink Floyd"), labels: on("26126", "Harvest") },
      { id: "9000007", title: "The Dark Side Of The Moon Live", released: "1995", artists: by("45467", "Pink Floyd"), labels: on("5", "Svek") },
      { id: "9000008", title: "Moons And Sides", released: "1969-07-20", artists: by("2", "Mr. James Barth & A.D."), labels: on("5", "Svek") },
      { id: "155102", title: "New Soil", released: "1999", artists: by("212070", "Samuel L Session"), labels: on("500", "Soma") },
    ],
  };
  return records[dataType];
}

/** Every record of the corpus and those that are wanted, by the sink; then fillers, which are older. Resolves with the documents by id. */
export async function fill(database: Database, contract: Contract): Promise<Record<DataType, Map<string, Document>>> {
  const documents = { artists: new Map(), labels: new Map(), masters: new Map(), releases: new Map() } as Record<DataType, Map<string, Document>>;
  await using sink = openSink(database.url);
  for (const dataType of DATA_TYPES) {
    const golden = corpusFiles().filter((file) => file.dataType === dataType);
    const bodies = golden.flatMap(({ stem }) => goldenBodies(stem, contract).map(String));
    for (const record of wanted(dataType, contract)) {
      const sha256 = createHash("sha256").update(JSON.stringify(record)).digest("hex");
      bodies.push(JSON.stringify({ type: "data", sha256, ...record }));
    }
    for (const body of bodies) {
      const document: Document = JSON.parse(body);
      documents[dataType].set(document.id, document);
    }
    const target = { version: VERSION, dataType, contract, stream: "records" } as const;
    await using writer = await sink.open(target, null, NEVER);
    await writer.write({ ...batchOf(bodies, 0, dataType), contract }, NEVER);
    await writer.finish({ file: "x", records: bodies.length, complete: true }, NEVER);
    await database.query(`UPDATE ${dataType} SET updated_at = '2026-08-06' WHERE data_id LIKE '%7'`);
    await database.query(`UPDATE ${dataType} SET updated_at = '2026-08-01' WHERE data_id NOT LIKE '%7'`);
    await database.query(fillers(dataType, contract), [FILLERS]);
    await database.query(`VACUUM ANALYZE ${dataType}`);
  }
  return documents;
}

function fillers(dataType: DataType, contract: Contract): string {
  const list = (inner: string, key: string) => (contract === "topic" ? `jsonb_build_object('${key}', ${inner})` : `jsonb_build_array(${inner})`);
  const id = contract === "topic" ? "@id" : "id";
  const labels = list(`jsonb_build_object('${id}', (800000 + n % 5000)::text)`, "label");
  const artists = list("jsonb_build_object('id', (800000 + n % 5000)::text)", "artist");
  const members = {
    artists: "'name', md5(n::text)",
    labels: "'name', md5(n::text)",
    masters: "'title', md5(n::text), 'year', (1900 + n % 90)::text, 'main_release', n::text",
    releases: `'title', md5(n::text), 'year', 1860 + n % 100, 'artist', 'Nobody', 'labels', ${labels}, 'artists', ${artists}`,
  };
  return `INSERT INTO ${dataType} (data_id, hash, data, updated_at)
    SELECT 'f' || n, 'h', jsonb_build_object('id', 'f' || n, ${members[dataType]}), timestamptz '2026-01-01' + n * interval '1 minute'
    FROM generate_series(1, $1::int) AS n`;
}
