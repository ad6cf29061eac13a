/** One data type's changes while its dump is read. */
import type { Ledger, OpenIndex } from "../change/ledger.ts";
import { type Generation, HASH_VERSION } from "../change/pointer.ts";
import { recorded } from "../change/recorded.ts";
import { DumpError } from "../errors.ts";
import type { DataType } from "../model.ts";
import type { ParsedPiece } from "../parse/piece-stream.ts";
import type { PullRequest } from "../parse/pool.ts";
import type { InputFile } from "../source/inputs.ts";

type Publish = "changes" | "all";

/** A dump whose data type is known before it is opened. */
export type TypedInput = Pick<InputFile, "name"> & { readonly dataType: DataType };

/** What a data type's changes are held against and kept in. */
interface TypeParts {
  readonly generation: Generation | null;
  readonly index: OpenIndex | null;
  readonly ledger: Ledger;
  readonly rulesDigest: string | null;
  readonly publish: Publish;
  readonly delivering: (what: "records" | "deletions") => Promise<void>;
}

/** One data type's changes on their way from the file to the next generation. */
export class TypeChanges implements Disposable {
  readonly dataType: DataType;
  /** Name of the dump. */
  readonly file: string;
  readonly index: OpenIndex | null;
  readonly ledger: Ledger;
  readonly generation: Generation | null;
  /** Told before the first change is delivered. */
  readonly delivering: (what: "records" | "deletions") => Promise<void>;
  /** What the parser is to compare with. */
  readonly detect: NonNullable<PullRequest["detect"]>;

  constructor({ name: file, dataType }: TypedInput, { generation, index, ledger, rulesDigest, publish, delivering }: TypeParts) {
    this.dataType = dataType;
    this.file = file;
    this.generation = generation;
    this.index = index;
    this.ledger = ledger;
    this.delivering = delivering;
    this.detect = { ...(index === null ? {} : { index: index.handle }), trust: trustIn(generation, rulesDigest), publish };
  }

  /** Whether what is known of records that have not come is still worth the same. */
  get holdsUnseen(): boolean {
    return this.detect.trust === "raw";
  }

  /** The pieces with their changes, each in the ledger before it is handed on. */
  record(pieces: AsyncIterable<ParsedPiece>): AsyncIterable<ParsedPiece> {
    return recorded(pieces, this.ledger, { run: this.ledger.run, publish: this.detect.publish, delivering: () => this.delivering("records") });
  }

  [Symbol.dispose](): void {
    this.ledger[Symbol.dispose]();
    this.index?.[Symbol.dispose]();
  }
}

/** What fingerprints are worth: all; only those of bodies, since other rules make others of the same bytes; or only those of raw bytes. */
type Trust = "raw" | "hash" | "rebase";

/** Where neither is worth anything, all records count as updated. */
function trustIn(generation: Generation | null, rulesDigest: string | null): Trust {
  if (generation === null) return "raw";
  if (generation.rulesDigest !== rulesDigest) return "hash";
  return generation.hashVersion === HASH_VERSION ? "raw" : "rebase";
}

/** What is known of a data type is needed before the root element is read. */
export function typed({ name, dataType }: InputFile): TypedInput {
  if (dataType !== null) return { name, dataType };
  throw new DumpError("CONFIG_INVALID", `${name}: the name does not tell the data type; say with --type what it holds`);
}
