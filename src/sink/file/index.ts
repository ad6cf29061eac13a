import { randomBytes } from "node:crypto";
import { existsSync } from "node:fs";
import { open, rm } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { DumpError } from "../../errors.ts";
import type { SinkPosition } from "../../model.ts";
import { diskError } from "../disk-errors.ts";
import type { Sink, SinkWriter, Target } from "../sink.ts";
import { type FileSinkConfig, parseFileUrl } from "./config.ts";
import { GzipWriter } from "./gzip.ts";
import { PartialFile } from "./partial-file.ts";
import { PlainWriter } from "./plain.ts";

/** Bytes written to prove that there is room: an empty file can be made on a full disk. */
const PROBE_BYTES = 4096;

/** Opens the sink of a `file:` URL. */
export function openFileSink(url: string): FileSink {
  return new FileSink(parseFileUrl(url));
}

/** The folder itself, or, as the first run makes it, the nearest one above it that is there: a check creates nothing. */
function nearestFolder(path: string): string {
  let folder = resolve(path);
  while (!existsSync(folder) && folder !== dirname(folder)) folder = dirname(folder);
  return folder;
}

/** Writes `DIR/<version>/<type>.ndjson`, or `.ndjson.gz`: one message body a line, byte for byte; tombstones go to `<type>.deleted.ndjson`. */
export class FileSink implements Sink {
  readonly name: string;
  readonly resumable = true;
  readonly #config: FileSinkConfig;

  constructor(config: FileSinkConfig) {
    this.#config = config;
    this.name = `file:${config.folder}${config.compress === "gzip" ? "?compress=gzip" : ""}`;
  }

  /** The folder of a version's files. */
  folder(version: string): string {
    if (!/^[A-Za-z0-9._-]+$/.test(version) || version === "." || version === "..") {
      const advice = "it may hold letters, digits, dots, dashes and underscores; rename the file";
      throw new DumpError("CONFIG_INVALID", `version ${JSON.stringify(version)} cannot be the name of a folder: ${advice}`);
    }
    return join(this.#config.folder, version);
  }

  async check(signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    const path = join(nearestFolder(this.#config.folder), `.deadwax-probe-${randomBytes(6).toString("hex")}`);
    try {
      await using probe = await open(path, "wx");
      await probe.writeFile(Buffer.alloc(PROBE_BYTES));
      await probe.datasync(); // some file systems find out only now that they are full
    } catch (error) {
      throw diskError(this.#config.folder, error);
    } finally {
      await rm(path, { force: true }).catch(() => {}); // must not hide why the probe failed
    }
  }

  async holds(target: Target): Promise<boolean> {
    return existsSync(this.#path(target));
  }

  async announce(): Promise<void> {
    // The files are there under their final names; that is all there is to know.
  }

  async open(target: Target, position: SinkPosition | null, signal: AbortSignal): Promise<SinkWriter> {
    signal.throwIfAborted();
    const path = this.#path(target);
    const file = position === null ? await PartialFile.create(path) : await PartialFile.resume(path, position);
    return this.#config.compress === "gzip" ? new GzipWriter(file) : new PlainWriter(file);
  }

  #path({ version, dataType, stream }: Target): string {
    const name = stream === "records" ? dataType : `${dataType}.deleted`;
    return join(this.folder(version), `${name}.ndjson${this.#config.compress === "gzip" ? ".gz" : ""}`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // Its files belong to the writers.
  }
}
