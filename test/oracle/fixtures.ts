import { readdirSync, readFileSync } from "node:fs";
import { CONTRACTS, type Contract, DATA_TYPES, type DataType } from "../../src/model.ts";

/** What must come out of a fixture in one contract; for `fatal`, `bodies` and `rejects` are those before the fault. */
export interface FixtureOutcome {
  readonly outcome: "ok" | "rejects" | "fatal";
  readonly bodies: readonly string[];
  readonly empty: number;
  readonly rejects: readonly { readonly offset: number; readonly kind: string }[];
}

/** One of the project's own small documents, with one idea each. */
export interface Fixture {
  readonly dataType: DataType;
  readonly idea: string;
  readonly xml: Buffer;
  readonly expected: Readonly<Record<Contract, FixtureOutcome>>;
}

const FOLDER = new URL("../fixtures/", import.meta.url);

/** Every fixture: `<type>/<idea>.xml` with its `.topic.json` and `.fanout.json`. */
export function fixtures(): Fixture[] {
  return DATA_TYPES.flatMap((dataType) =>
    ideas(dataType).map((idea) => ({
      dataType,
      idea,
      xml: readFileSync(new URL(`${dataType}/${idea}.xml`, FOLDER)),
      expected: { topic: outcome(dataType, idea, "topic"), fanout: outcome(dataType, idea, "fanout") },
    })),
  );
}

/** The names in a folder; each must have all three files. */
function ideas(dataType: DataType): string[] {
  const names = readdirSync(new URL(`${dataType}/`, FOLDER));
  const found = names.filter((name) => name.endsWith(".xml")).map((name) => name.slice(0, -".xml".length));
  const wanted = found.flatMap((idea) => [`${idea}.xml`, ...CONTRACTS.map((contract) => `${idea}.${contract}.json`)]);
  const odd = [...names.filter((name) => !wanted.includes(name)), ...wanted.filter((name) => !names.includes(name))];
  if (odd.length > 0) throw new Error(`test/fixtures/${dataType}: not a whole triple of files: ${odd.join(", ")}`);
  return found.sort();
}

function outcome(dataType: DataType, idea: string, contract: Contract): FixtureOutcome {
  const read: FixtureOutcome = JSON.parse(readFileSync(new URL(`${dataType}/${idea}.${contract}.json`, FOLDER), "utf8"));
  return read;
}
