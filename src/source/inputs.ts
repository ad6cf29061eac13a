import { constants } from "node:fs";
import { access, stat } from "node:fs/promises";
import { basename } from "node:path";
import { DumpError } from "../errors.ts";
import { DATA_TYPES, type DataType } from "../model.ts";
import { type ExpectedChecksum, findChecksum } from "./checksum.ts";
import { discover } from "./discover.ts";
import { readFileName, UNKNOWN_VERSION } from "./file-name.ts";
import { unreadable } from "./unreadable.ts";

/** One file that is to be read, as far as it is known without reading it. */
export interface InputFile {
  /** Null reads standard input. */
  readonly path: string | null;
  /** How the file is called in logs, messages and markers: its base name, or `stdin`. */
  readonly name: string;
  readonly version: string;
  /** Null: the root element decides. */
  readonly dataType: DataType | null;
  /** Compressed bytes, or null for a pipe. */
  readonly size: number | null;
  readonly expected: ExpectedChecksum | null;
}

/** The files of one version. */
export interface Inputs {
  readonly version: string;
  readonly inputs: readonly InputFile[];
  /** Newer versions in the folder that are not complete. */
  readonly passedOver: readonly string[];
}

/** Standard input. */
export function readStdin(dataType: DataType | null): Inputs {
  const input = { path: null, name: "stdin", version: UNKNOWN_VERSION, dataType, size: null, expected: null };
  return { version: UNKNOWN_VERSION, inputs: [input], passedOver: [] };
}

/** The newest complete version in a folder, or one data type of it. */
export async function findInputs(root: string, only: DataType | null): Promise<Inputs> {
  const { version, paths, passedOver } = await discover(root);
  const types = only === null ? DATA_TYPES : [only];
  return { version, inputs: await Promise.all(types.map((type) => describe(paths[type], type))), passedOver };
}

/** Named files, which must belong to one version and be of different data types; `dataType` wins over a single file's name. */
export async function describeFiles(paths: readonly string[], dataType: DataType | null): Promise<Inputs> {
  const inputs = await Promise.all(paths.map((path) => describe(path, dataType)));
  const versions = [...new Set(inputs.map((input) => input.version))];
  const [version = UNKNOWN_VERSION] = versions;
  if (versions.length > 1) {
    throw new DumpError("CONFIG_INVALID", `the files are of different versions (${versions.join(", ")}); extract one version at a time`);
  }
  for (const [index, input] of inputs.entries()) {
    const twin = inputs.slice(0, index).find((other) => other.dataType === input.dataType);
    if (twin !== undefined) throw new DumpError("CONFIG_INVALID", `${twin.path} and ${input.path}: the same data type twice; extract them one at a time`);
  }
  return { version, inputs, passedOver: [] };
}

async function describe(path: string, dataType: DataType | null): Promise<InputFile> {
  const size = await readableSize(path);
  const named = readFileName(path);
  const expected = await findChecksum(path, named.version);
  return { path, name: basename(path), version: named.version, dataType: dataType ?? named.dataType, size, expected };
}

async function readableSize(path: string): Promise<number> {
  const found = await stat(path).catch((cause: unknown) => {
    throw unreadable(path, cause);
  });
  if (!found.isFile()) {
    const advice = found.isDirectory() ? "is a folder; give --root to take the dumps in it" : "is no regular file; pipe it in and name it -";
    throw new DumpError("SOURCE_UNREADABLE", `${path}: ${advice}`);
  }
  await access(path, constants.R_OK).catch((cause: unknown) => {
    throw unreadable(path, cause);
  });
  return found.size;
}
