import type { Contract, DataType } from "deadwax";

/** What one run of one program took. */
export interface Sample {
  readonly wallSeconds: number;
  /** User and system time of all threads. */
  readonly cpuSeconds: number;
  /** Null where the system does not tell. */
  readonly peakRssBytes: number | null;
  /** Most bytes that the native buffers of a source held; null for other programs. */
  readonly nativePeakBytes: number | null;
}

/** The samples of one program on one input, one a round. */
export interface Series {
  readonly program: string;
  readonly type: DataType;
  readonly contract: Contract;
  readonly records: number;
  readonly xmlBytes: number;
  readonly samples: readonly Sample[];
}

/** The middle of some values, and how far apart they lie. */
export interface Spread {
  readonly median: number;
  readonly min: number;
  readonly max: number;
}

/** One program on one input in figures; MB are 10^6 bytes of XML. */
export interface Speed {
  readonly program: string;
  readonly type: DataType;
  readonly contract: Contract;
  readonly records: number;
  readonly xmlBytes: number;
  readonly megabytesPerSecond: Spread;
  readonly megabytesPerCpuSecond: Spread;
  readonly recordsPerSecond: Spread;
  readonly peakRssBytes: number | null;
  readonly nativePeakBytes: number | null;
}

/** deadwax on one input, and against the others pair by pair; null is what was not measured. */
export interface Row extends Speed {
  readonly toReferencePerCpuSecond: Spread | null;
  readonly toReference: Spread | null;
  readonly fastestJavaScript: string | null;
  readonly toFastestJavaScript: Spread | null;
  readonly toGzip: Spread | null;
  /** Of fanout only. */
  readonly toTopic: Spread | null;
}

/** One part alone, in this process. */
export interface PartSpeed {
  readonly part: string;
  readonly bytes: number;
  readonly megabytesPerSecond: Spread;
}

/** A speed the project has set itself. */
export interface TargetOutcome {
  readonly target: string;
  readonly type: DataType;
  readonly contract: Contract;
  readonly atLeast: number;
  /** Null if it was not measured. */
  readonly measured: Spread | null;
  /** By the median. */
  readonly reached: boolean;
}

/** What the figures depend on beside the code. */
export interface Machine {
  readonly cpu: string;
  readonly cpus: number;
  readonly memoryBytes: number;
  readonly system: string;
  readonly node: string;
  /** Processes that wanted to run in the minute before, on average: what others took. */
  readonly loadBefore: number;
}

/** All that a run of the bench has found; what is in it was checked for being right before it was counted as fast. */
export interface BenchResults {
  readonly date: string;
  readonly machine: Machine;
  readonly build: string;
  readonly quick: boolean;
  readonly rounds: number;
  readonly parts: readonly PartSpeed[];
  readonly rows: readonly Row[];
  /** The programs that deadwax was compared with. */
  readonly others: readonly Speed[];
  readonly targets: readonly TargetOutcome[];
  /** Share of its time that `gzip -dc`, which waits for nothing else, waited for a CPU: what other work on the machine took. */
  readonly waited: Spread | null;
  /** What could not be measured, and why. */
  readonly missing: readonly string[];
}
