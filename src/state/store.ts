/** The state of one version for one run: what the application asks before it works, and tells while it does. */
import { DumpError } from "../errors.ts";
import { type FileIdentity, shareSink } from "../model.ts";
import { adoptFinished } from "./adopt.ts";
import { keptName } from "./codec.ts";
import { type DecideOptions, type Decision, decide, type Outcome, outcome, pendingFiles, type ResumeInfo, resumeInfo } from "./decide.ts";
import { provenanceChange } from "./download-phase.ts";
import type { StateEvent } from "./events.ts";
import { type DiskSteps, diskSteps, MarkerFile } from "./file.ts";
import { verifiedSource } from "./identity.ts";
import { type FileState, MARKER_VERSION, type Marker, newMarker, type RunKey, type SourceState } from "./marker.ts";
import { activateRun, fileState } from "./runs.ts";
import { transition } from "./transitions.ts";

export interface StoreOptions {
  /** Hears, in a sentence, why saved state is not used. */
  readonly onWarning?: (warning: string) => void;
  /** Files that another program has finished; they count where the version has no marker yet. */
  readonly finished?: Iterable<string>;
  readonly now?: () => Date;
  readonly disk?: DiskSteps;
}

/** Holds the marker in memory and on disk. Its user holds the root's lock. */
export class StateStore {
  readonly path: string;
  readonly #file: MarkerFile;
  readonly #onWarning: (warning: string) => void;
  readonly #now: () => Date;
  #marker: Marker;

  private constructor(file: MarkerFile, marker: Marker, options: Required<StoreOptions>) {
    this.path = file.path;
    this.#file = file;
    this.#marker = marker;
    this.#onWarning = options.onWarning;
    this.#now = options.now;
  }

  /** Reads the marker of `version` in `root`; one that cannot be used is kept beside, with a warning. Writes nothing yet. */
  static async open(root: string, version: string, key: RunKey, options: StoreOptions = {}): Promise<StateStore> {
    const resolved = { onWarning: () => {}, finished: [], now: () => new Date(), disk: diskSteps, ...options };
    const now = resolved.now();
    const file = new MarkerFile(root, version, resolved.disk);
    const marker = await readOrNew(file, () => adoptFinished(newMarker(version, now), resolved.finished, now.toISOString()), now, resolved.onWarning);
    return new StateStore(file, activateRun(marker, key, now), resolved);
  }

  /** The marker as of the last event. */
  get marker(): Marker {
    return this.#marker;
  }

  /** Applies an event; resolves once it is on disk. */
  async apply(event: StateEvent): Promise<void> {
    if (event.type === "file-present") await this.#keepOther(event.file, event.source);
    this.#marker = transition(this.#marker, event, this.#now());
    await this.#file.write(this.#marker);
  }

  decide(options: DecideOptions): Decision {
    return decide(this.#marker, options);
  }

  pendingFiles(files: readonly string[]): string[] {
    return pendingFiles(this.#marker, files);
  }

  outcome(files: readonly string[]): Outcome {
    return outcome(this.#marker, files);
  }

  /** How to go about `file`; warns if a checkpoint is there and cannot be used. */
  resume(file: string, source: SourceState): ResumeInfo {
    const info = resumeInfo(this.#marker, file, source);
    if (info.kind === "fresh" && info.reason !== null) this.#warnOfChange(file, source);
    return info;
  }

  /** The other contract, if a run of it has come somewhere with this version in one of the sinks of that name; or null. */
  rival(sink: string): string | null {
    const { active, runs } = this.#marker.deadwax;
    const own = active === null ? undefined : runs[active];
    const others = Object.values(runs).filter((run) => run.contract !== own?.contract && shareSink(run.sink, sink));
    const rival = others.find((run) => Object.values(run.files).some((file) => file.status === "completed" || file.checkpoint !== null));
    return rival?.contract ?? null;
  }

  /** What was verified about the file with this identity, or null if it must be verified. */
  verifiedSource(file: string, identity: FileIdentity): SourceState | null {
    return verifiedSource(this.#marker, file, identity);
  }

  /** Counts, digest and status of a file in this run, or null. */
  fileState(file: string): FileState | null {
    return fileState(this.#marker, file);
  }

  /** A marker that speaks of other bytes is kept beside before it is written anew; until then it stays, for what it says of the other files. */
  async #keepOther(file: string, source: SourceState): Promise<void> {
    if (provenanceChange(this.#marker, file, source) === null) return;
    this.#warnOfChange(file, source);
    await this.#file.copyBeside(keptName(this.#marker.current_version, this.#now()));
  }

  #warnOfChange(file: string, source: SourceState): void {
    const change = provenanceChange(this.#marker, file, source);
    if (change !== null) this.#onWarning(`${file} is not the file of the saved state, ${change}: it is extracted from its first record`);
  }
}

async function readOrNew(file: MarkerFile, create: () => Marker, now: Date, warn: (warning: string) => void): Promise<Marker> {
  const read = await file.read(now);
  switch (read.kind) {
    case "absent":
      return create();
    case "marker":
      return read.marker;
    case "fresh": {
      const kept = await file.keepBeside(read.keepAs);
      warn(`state marker ${file.path} is not used, ${read.reason}: the version starts afresh, the old marker is kept as ${kept}`);
      return create();
    }
    case "too-new":
      throw new DumpError(
        "STATE_TOO_NEW",
        `state marker ${file.path} has markerVersion ${read.markerVersion}, this deadwax knows up to ${MARKER_VERSION}: use the newer deadwax, or move the file away to start afresh`,
      );
  }
  return read satisfies never;
}
