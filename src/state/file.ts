/** The state marker on disk: the only file of this folder that reads and writes it. */
import { constants } from "node:fs";
import { copyFile, link, open, readdir, readFile, rename, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { fault } from "#fault";
import { syncFolder, writeSynced } from "../durable.ts";
import { DumpError, systemCode } from "../errors.ts";
import { keptName, markerName, type ReadResult, readMarker, serialiseMarker } from "./codec.ts";
import { MARKER_BYTES_MAX, type Marker } from "./marker.ts";
import { oneLine } from "./one-line.ts";

/** Most bytes of a version in a file name, so that every name made of it fits in 255. */
const VERSION_BYTES_MAX = 180;
/** Most kept markers of one version with the same time in their name. */
const KEPT_MAX = 100;

/** Most characters of the system's words in a message. */
const WHY_CHARS_MAX = 200;

/** The steps of a durable write, apart so that a test can stop between them. */
export interface DiskSteps {
  /** Writes a file and resolves once its bytes are on disk. */
  writeSynced(path: string, text: string): Promise<void>;
  rename(from: string, to: string): Promise<void>;
  /** Gives a file a second name, or copies it where a file has but one; fails with EEXIST if that name is taken. */
  duplicate(from: string, to: string): Promise<void>;
  /** Resolves once the folder's names are on disk. */
  syncFolder(path: string): Promise<void>;
}

/** The marker file of one version. */
export class MarkerFile {
  readonly path: string;
  readonly #root: string;
  readonly #version: string;
  readonly #disk: DiskSteps;
  #latest: Marker | null = null;
  /** The write that has not begun; it will take the latest marker. */
  #queued: Promise<void> | null = null;
  /** The write that runs; never rejects. */
  #running: Promise<void> = Promise.resolve();

  constructor(root: string, version: string, disk: DiskSteps = diskSteps) {
    if (version === "" || /[/\\\0]/.test(version) || Buffer.byteLength(version) > VERSION_BYTES_MAX) {
      throw new DumpError("CONFIG_INVALID", `version ${JSON.stringify(version)} cannot be part of a file name; name the version otherwise`);
    }
    this.#root = root;
    this.#version = version;
    this.#disk = disk;
    this.path = join(root, markerName(version));
  }

  /** What the file says, whatever its bytes are. */
  async read(now: Date): Promise<ReadResult | { readonly kind: "absent" }> {
    try {
      const { size } = await fileStat(this.path);
      if (size > MARKER_BYTES_MAX) {
        return { kind: "fresh", reason: `it is larger than ${MARKER_BYTES_MAX} bytes`, keepAs: keptName(this.#version, now) };
      }
      return readMarker(new Uint8Array(await readFile(this.path)), this.#version, now);
    } catch (error) {
      if (systemCode(error) === "ENOENT") return { kind: "absent" };
      throw unusable(this.path, "cannot be read", error);
    }
  }

  /**
   * Resolves once `marker`, or a later one, is on disk. There is one write at a time: markers that come while one runs wait, and
   * only the latest of them is written. The file is always the one before or the one after, never a part.
   */
  write(marker: Marker): Promise<void> {
    this.#latest = marker;
    this.#queued ??= this.#running.then(() => {
      this.#queued = null;
      const saving = this.#save(this.#latest ?? marker);
      this.#running = saving.catch(() => {}); // reported to those who wait for it
      return saving;
    });
    return this.#queued;
  }

  /** Moves a marker that cannot be used, or is not to be used any more, aside, over nothing; returns where it is now. */
  keepBeside(keepAs: string): Promise<string> {
    return this.#besides("moved", keepAs, async (path) => {
      // This process is the root's only writer, so looking first is safe.
      if (await exists(path)) return false;
      await this.#disk.rename(this.path, path);
      return true;
    });
  }

  /** Keeps what the marker says now, over nothing, and leaves the marker where it is until the next write; returns where it is kept. */
  copyBeside(keepAs: string): Promise<string> {
    return this.#besides("kept", keepAs, async (path) => {
      try {
        await this.#disk.duplicate(this.path, path);
        return true;
      } catch (error) {
        if (systemCode(error) === "EEXIST") return false;
        throw error;
      }
    });
  }

  /** Does `keep` under the first name that is free: it returns false for one that is not. */
  async #besides(what: "moved" | "kept", keepAs: string, keep: (path: string) => Promise<boolean>): Promise<string> {
    try {
      for (let n = 0; n < KEPT_MAX; n++) {
        const path = join(this.#root, n === 0 ? keepAs : `${keepAs}-${n}`);
        if (!(await keep(path))) continue;
        await this.#disk.syncFolder(this.#root);
        return path;
      }
    } catch (error) {
      throw unusable(this.path, `cannot be ${what} aside`, error);
    }
    throw new DumpError("STATE_UNWRITABLE", `state marker ${this.path} cannot be ${what} aside: ${KEPT_MAX} of that name are kept; remove some`);
  }

  /** Removes the marker; returns false if there was none. */
  async remove(): Promise<boolean> {
    try {
      await rm(this.path);
      await this.#disk.syncFolder(this.#root);
      return true;
    } catch (error) {
      if (systemCode(error) === "ENOENT") return false;
      throw unusable(this.path, "cannot be removed", error);
    }
  }

  async #save(marker: Marker): Promise<void> {
    const text = serialiseMarker(marker);
    const beside = `${this.path}.tmp`;
    try {
      await this.#disk.writeSynced(beside, text);
      fault("marker-written");
      await this.#disk.rename(beside, this.path);
      fault("marker-renamed");
      await this.#disk.syncFolder(this.#root);
    } catch (error) {
      await rm(beside, { force: true }).catch(() => {}); // gives its space back where that was what lacked
      throw unusable(this.path, "cannot be written", error);
    }
  }
}

/** The versions that have a marker in `root`, in ascending order. */
export async function listMarkers(root: string): Promise<{ readonly version: string; readonly path: string }[]> {
  const [prefix = "", suffix = ""] = markerName("\0").split("\0");
  try {
    const names = (await readdir(root)).filter((name) => name.startsWith(prefix) && name.endsWith(suffix) && name.length > prefix.length + suffix.length);
    return names.sort().map((name) => ({ version: name.slice(prefix.length, -suffix.length), path: join(root, name) }));
  } catch (error) {
    if (systemCode(error) === "ENOENT") return [];
    throw unusable(root, "cannot be listed", error);
  }
}

/** The steps on a real disk. */
export const diskSteps: DiskSteps = {
  writeSynced,
  rename,
  async duplicate(from, to) {
    try {
      await link(from, to); // a write never changes the bytes under a name, so that both keep theirs
    } catch (error) {
      if (!NO_LINKS.includes(systemCode(error) ?? "")) throw error;
      await copySynced(from, to);
    }
  },
  syncFolder,
};

/** How file systems say that a file cannot have a second name, or no further one. */
const NO_LINKS: readonly string[] = ["EPERM", "ENOTSUP", "EOPNOTSUPP", "ENOSYS", "EMLINK", "EXDEV"];

/** Copies a file over nothing and resolves once its bytes are on disk; a copy that fails leaves nothing. */
export async function copySynced(from: string, to: string): Promise<void> {
  await copyFile(from, to, constants.COPYFILE_EXCL);
  try {
    await using file = await open(to, "r+");
    await file.sync();
  } catch (error) {
    await rm(to, { force: true }).catch(() => {}); // gives its space back
    throw error;
  }
}

async function fileStat(path: string): Promise<{ size: number }> {
  const stats = await stat(path);
  if (!stats.isFile()) throw new Error("it is not a file");
  return stats;
}

async function exists(path: string): Promise<boolean> {
  try {
    await stat(path);
    return true;
  } catch (error) {
    if (systemCode(error) === "ENOENT") return false;
    throw error;
  }
}

const REMEDIES: { readonly [code: string]: string } = {
  ENOSPC: "free some space there and start again, the run goes on from its last checkpoint",
  EDQUOT: "free some of the quota and start again, the run goes on from its last checkpoint",
  EACCES: "give this user access to the folder, or keep state elsewhere with --state",
  EPERM: "give this user access to the folder, or keep state elsewhere with --state",
  EROFS: "the file system is read-only: keep state elsewhere with --state",
  ENOENT: "create the folder, or keep state elsewhere with --state",
  EEXIST: "create the folder, or keep state elsewhere with --state",
  ENOTDIR: "create the folder, or keep state elsewhere with --state",
};

/** A {@link DumpError} that says which file of the state could not be used and what to do. */
export function unusable(path: string, what: string, error: unknown): DumpError {
  if (error instanceof DumpError) return error;
  const code = systemCode(error);
  const why = code !== undefined && /^E[A-Z0-9]+$/.test(code) ? code : error instanceof Error ? oneLine(error.message, WHY_CHARS_MAX) : "unknown";
  const remedy = REMEDIES[code ?? ""] ?? "look at the folder and its disk, or keep state elsewhere with --state";
  return new DumpError("STATE_UNWRITABLE", `state ${path} ${what} (${why}): ${remedy}`, { cause: error });
}
