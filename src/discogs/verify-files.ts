import { DumpError } from "../errors.ts";
import type { ParsePool } from "../parse/pool.ts";
import { identify } from "../source/identity.ts";
import type { InputFile } from "../source/inputs.ts";
import { describePolicy, verify } from "../source/verify.ts";
import type { SourceState } from "../state/marker.ts";
import type { StateStore } from "../state/store.ts";
import type { Telemetry } from "../telemetry.ts";
import type { ExtractRequest } from "./request.ts";

interface Context {
  readonly request: ExtractRequest;
  readonly pool: ParsePool;
  readonly store: StateStore | null;
  readonly telemetry: Telemetry;
  readonly signal: AbortSignal;
}

/** Makes sure that a file is sound before its first record leaves; null for a pipe, which can only be read. A file that is still the one that was verified is not read again. */
export async function ensureSound(input: InputFile, { request, pool, store, telemetry, signal }: Context): Promise<SourceState | null> {
  const { path, name } = input;
  if (path === null) return null;
  const identity = await identify(path);
  const known = store?.verifiedSource(name, identity) ?? null;
  // What was verified without the published hash is not what somebody who brought it expects.
  if (known !== null && (input.expected === null || known.sha256 === input.expected.sha256)) {
    telemetry.verifySkipped(name);
    return known;
  }
  if (request.verify === "stream") return { ...identity, sha256: null, verified: false };
  const policy = { mode: request.verify, expected: input.expected };
  telemetry.verifyStarted(name, describePolicy(policy));
  const started = performance.now();
  const verified = await verify(path, policy, (work, aborted) => hashAndInflate(name, work, { request, pool, telemetry }, aborted), signal);
  telemetry.verified(name, (performance.now() - started) / 1000);
  return { ...verified.identity, sha256: verified.sha256, verified: true };
}

/** What could only be checked after the last record: the published hash of a file that was streamed. */
export async function verifyStreamed(input: InputFile, { request, pool, telemetry, signal }: Context): Promise<void> {
  const { path, name, expected } = input;
  if (path === null || expected === null) return;
  const { sha256 } = await hashAndInflate(name, { path, sha256: true, inflate: false }, { request, pool, telemetry }, signal);
  if (sha256 === expected.sha256) return;
  throw new DumpError(
    "SOURCE_CORRUPT",
    `${path}: its SHA-256 is ${sha256}, ${expected.from} says ${expected.sha256}; what was extracted is not the published dump, download it again`,
  );
}

function hashAndInflate(
  name: string,
  work: { path: string; sha256: boolean; inflate: boolean },
  { request, pool, telemetry }: Pick<Context, "request" | "pool" | "telemetry">,
  signal: AbortSignal,
): Promise<{ sha256: string | null }> {
  const { backend, limits } = request;
  const { inflatedBytesMax, inflateRatioMax } = limits;
  return pool.verify(name, { ...work, backend, inflatedBytesMax, inflateRatioMax }, (bytes) => telemetry.verifyProgressed(name, bytes), signal);
}
