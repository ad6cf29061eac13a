import { existsSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { closeSource, type Detect, openSource, type Piece, pullPiece } from "../../native/index.js";

const SLOT_BYTES = 1024 * 1024;
const OPTIONS = {
  dataType: "labels",
  contract: "topic",
  backend: "zlib-ng",
  checkpointRecords: 0,
  checkpointMs: 0,
  recordBytesMax: 2 ** 20,
  depthMax: 64,
  attributesMax: 256,
  nameBytesMax: 1024,
  inflatedBytesMax: 2 ** 40,
  inflateRatioMax: 200,
  rejectRawBytesMax: 4096,
} as const;

/** A label as the tests make them up. */
export interface Label {
  /** Null: it has none. */
  readonly id: string | null;
  readonly content: number;
  /** How the same content is spelt. */
  readonly form: number;
}

export function xmlOf({ id, content, form }: Label): string {
  const name = form === 0 ? `n${content}` : `&#110;${content}`;
  return `<label>${id === null ? "" : `<id>${id}</id>`}<name>${name}</name></label>`;
}

/** A piece of a dump: its bodies, what they are, and its part of the ledger. */
export interface Read {
  readonly bodies: readonly string[];
  readonly kinds: readonly number[];
  readonly log: Uint8Array | null;
  /** Records in it, whatever became of them. */
  readonly read: number;
}

/** One dump after the other in the same place, in memory where there is such a file system. */
export class NativeMonths implements AsyncDisposable {
  readonly #folder: string;
  readonly #slot = new Uint8Array(SLOT_BYTES);

  private constructor(folder: string) {
    this.#folder = folder;
  }

  static async create(): Promise<NativeMonths> {
    return new NativeMonths(await mkdtemp(join(existsSync("/dev/shm") ? "/dev/shm" : tmpdir(), "deadwax-months-")));
  }

  path(name: string): string {
    return join(this.#folder, name);
  }

  /** Writes a plain dump. */
  async write(records: Iterable<string>): Promise<void> {
    await writeFile(this.path("labels.xml"), `<labels>\n${[...records].join("\n")}\n</labels>\n`);
  }

  /** Reads the dump to its end, on this thread. */
  *pieces(how: { readonly chunkBytes: number; readonly detect?: Detect; readonly only?: BigUint64Array }): Generator<Read> {
    const { handle } = openSource({ ...OPTIONS, ...how, path: this.path("labels.xml") });
    try {
      for (;;) {
        const piece = pullPiece(handle, this.#slot);
        if (piece.fault) throw new Error(piece.fault.message);
        if (piece.rejects.length > 0) throw new Error(`rejected: ${piece.rejects[0]?.message}`);
        yield this.#open(piece);
        if (piece.end) return;
      }
    } finally {
      closeSource(handle);
    }
  }

  #open({ own, table, records, bytes, logBytes, read }: Piece): Read {
    const memory = own ?? this.#slot;
    const text = Buffer.from(memory.buffer, memory.byteOffset, bytes).toString();
    // Behind the columns of ends, sizes, two fingerprints and hashes.
    const behind = memory.subarray(table + 2 * Math.ceil((records * 4) / 8) * 8 + records * (8 + 16 + 32));
    const log = logBytes == null ? null : behind.slice(records, records + logBytes);
    return { bodies: text.split("\n").slice(0, -1), kinds: [...behind.subarray(0, records)], log, read };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await rm(this.#folder, { recursive: true, force: true });
  }
}
