import { access, constants, stat, statfs } from "node:fs/promises";
import type { Secret } from "../config/secrets.ts";
import type { ServeConfig, ServeFlags } from "../config/serve.ts";
import { resolveServeConfig } from "../config.ts";
import { DumpError, type ErrorCode, systemCode } from "../errors.ts";
import { checkState } from "../postgres/check-state.ts";
import { parsePostgresUrl } from "../postgres/config.ts";
import { openSink } from "../sink/index.ts";
import type { CheckSource, CommandContext } from "./context.ts";
import { EXIT_CODES } from "./exit-codes.ts";
import { writeWarnings } from "./serve.ts";

/** A part that says nothing for so long is taken for broken; the site's pages are read with a gap between them. */
const PART_TIMEOUT_MS = 60_000;
/** Below this much free space a state marker may not fit. */
const FREE_BYTES_MIN = 2 ** 20;

/** One part of the service, and how it is tried. */
interface Part {
  readonly name: string;
  readonly place: string;
  /** What a part that says nothing ends with. */
  readonly code: ErrorCode;
  /** Fails with what is wrong, where, and what to do. */
  readonly attempt: (signal: AbortSignal) => Promise<void>;
}

/** `deadwax check`: tries every part of the service, tells each in one line and creates nothing; resolves with 0, or with the code of the first that fails. */
export async function runCheck(flags: ServeFlags, { stdout, stderr, checkSource }: CommandContext): Promise<number> {
  const config = resolveServeConfig({ flags });
  writeWarnings(config, stderr);
  let exit: number = EXIT_CODES.done.exit;
  for (const part of partsOf(config, checkSource)) {
    const fault = await faultOf(part);
    if (fault !== null && exit === EXIT_CODES.done.exit) exit = fault.exit;
    stdout.write(config.output === "json" ? renderJson(part, fault) : renderLine(part, fault));
  }
  return exit;
}

function partsOf(config: ServeConfig, checkSource: CheckSource | null): Part[] {
  const { root, sinkUrls, sourceUrl, stateUrl } = config;
  const parts: Part[] = [
    { name: "root", place: root, code: "STATE_UNWRITABLE", attempt: () => checkRoot(root) },
    ...sinkUrls.map((url): Part => ({ name: "sink", place: String(url), code: "SINK_UNAVAILABLE", attempt: (signal) => checkSink(url, signal) })),
  ];
  if (stateUrl !== null) {
    const attempt = (signal: AbortSignal) => checkState(parsePostgresUrl(stateUrl.reveal(), "state"), signal);
    parts.push({ name: "state", place: String(stateUrl), code: "STATE_UNAVAILABLE", attempt });
  }
  if (checkSource === null) return parts;
  return [...parts, { name: "source", place: sourceUrl, code: "SOURCE_UNAVAILABLE", attempt: (signal) => checkSource(config, signal) }];
}

/** Null if the part works. */
async function faultOf({ attempt, place, code }: Part): Promise<DumpError | null> {
  const timeout = AbortSignal.timeout(PART_TIMEOUT_MS);
  try {
    await attempt(timeout);
    return null;
  } catch (error) {
    if (error instanceof DumpError) return error;
    if (!timeout.aborted) throw error;
    return new DumpError(code, `${place}: no answer within ${PART_TIMEOUT_MS / 1000} s; check the address and what lies between`);
  }
}

function renderJson({ name, place }: Part, fault: DumpError | null): string {
  const told = fault === null ? { ok: true } : { ok: false, code: fault.code, message: fault.message };
  return `${JSON.stringify({ part: name, place, ...told })}\n`;
}

function renderLine({ name, place }: Part, fault: DumpError | null): string {
  return fault === null ? `✅ ${name}: ${place}\n` : `❌ ${name}: ${fault.code}: ${fault.message.replace(/\s*\n\s*/g, " ")}\n`;
}

async function checkSink(url: Secret, signal: AbortSignal): Promise<void> {
  await using sink = openSink(url.reveal());
  await sink.check(signal);
}

async function checkRoot(root: string): Promise<void> {
  const fail = (what: string, cause?: unknown) => new DumpError("STATE_UNWRITABLE", `${root}: ${what}`, { cause });
  try {
    if (!(await stat(root)).isDirectory()) throw fail("is no folder; name another with DISCOGS_ROOT or --root");
    await access(root, constants.R_OK | constants.W_OK | constants.X_OK);
    const { bavail, bsize } = await statfs(root);
    if (bavail * bsize < FREE_BYTES_MIN) throw fail("no space left; free some");
  } catch (cause) {
    throw cause instanceof DumpError ? cause : fail(rootAdvice(systemCode(cause)), cause);
  }
}

function rootAdvice(code: string | undefined): string {
  if (code === "ENOENT") return "there is no such folder; create it, mount it, or name another with DISCOGS_ROOT or --root";
  if (code === "EACCES" || code === "EPERM") return `permission denied; make it writable for user ${process.getuid?.() ?? "of this process"}`;
  if (code === "EROFS") return "the file system is read-only; mount it writable";
  return `cannot be used (${code}); check the disk`;
}
