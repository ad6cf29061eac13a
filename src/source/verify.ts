import { DumpError } from "../errors.ts";
import { type FileIdentity, sameIdentity } from "../model.ts";
import type { ExpectedChecksum } from "./checksum.ts";
import { identify } from "./identity.ts";

/** What is to be computed of a file in one pass. */
export interface VerifyWork {
  readonly path: string;
  /** The SHA-256 of the file's bytes. */
  readonly sha256: boolean;
  /** Inflate everything, checking CRC and length of each member. */
  readonly inflate: boolean;
}

/** What a pass found; whatever is wrong with the gzip has been thrown as a {@link DumpError}. */
export interface VerifyFinding {
  /** Lower-case hex, if it was asked for. */
  readonly sha256: string | null;
}

/** Makes one pass over a file, on a worker thread; tells progress by itself. */
export type VerifyPass = (work: VerifyWork, signal: AbortSignal) => Promise<VerifyFinding>;

/** What is known of a file that was verified. */
export interface Verified {
  /** The file this holds for; another identity must be verified again. */
  readonly identity: FileIdentity;
  readonly sha256: string | null;
}

/** How a file is verified before its first record leaves. */
export interface VerifyPolicy {
  readonly mode: "auto" | "full";
  readonly expected: ExpectedChecksum | null;
}

/** What verifying looks at, in words. */
export function describePolicy({ mode, expected }: VerifyPolicy): string {
  const hash = expected === null ? [] : [`SHA-256 against ${expected.from}`];
  const inflate = mode === "full" || expected === null ? ["a full pass over the file"] : [];
  return [...hash, ...inflate].join(" and ");
}

/** Proves that a file holds the published bytes, or, where nothing is published, a sound gzip; fails if it changes meanwhile. */
export async function verify(path: string, policy: VerifyPolicy, pass: VerifyPass, signal: AbortSignal): Promise<Verified> {
  const { expected } = policy;
  const before = await identify(path);
  // Where none is published it tells a later run whether the bytes are still these; beside inflating it costs little.
  const { sha256 } = await pass({ path, sha256: true, inflate: policy.mode === "full" || expected === null }, signal);
  // First, because bytes that were replaced while they were hashed also fail the comparison below.
  const after = await identify(path);
  if (!sameIdentity(before, after)) {
    throw new DumpError("SOURCE_CHANGED", `${path}: changed while it was verified; run again once nothing writes to it`);
  }
  if (expected !== null && sha256 !== expected.sha256) {
    throw new DumpError("SOURCE_CORRUPT", `${path}: its SHA-256 is ${sha256}, ${expected.from} says ${expected.sha256}; download it again`);
  }
  return { identity: after, sha256 };
}
