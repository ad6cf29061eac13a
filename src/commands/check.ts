import { access, constants, stat, statfs } from "node:fs/promises";
import type { ServeConfig, ServeFlags } from "../config/serve.ts";
import { resolveServeConfig } from "../config.ts";
import { DumpError, systemCode } from "../errors.ts";
import { openSink } from "../sink/index.ts";
import { NO_EVENTS } from "../sink/sink.ts";
import type { CheckSource, CommandContext } from "./context.ts";
import { EXIT_CODES } from "./exit-codes.ts";
import { writeWarnings } from "./serve.ts";

/** A part that says nothing for so long is taken for broken. */
const PART_TIMEOUT_MS = 20_000;
/** Below this much free space a state marker may not fit. */
const FREE_BYTES_MIN = 2 ** 20;

/** One part of the service, and how it is tried. */
interface Part {
  readonly name: string;
  /** Fails with cause and remedy. */
  readonly attempt: (signal: AbortSignal) => Promise<void>;
}

/** `deadwax check`: tries every part of the service, tells each in one line and creates nothing; resolves with 0, or with the code of the first that fails. */
export async function runCheck(flags: ServeFlags, { stdout, stderr, checkSource }: CommandContext): Promise<number> {
  const config = resolveServeConfig({ flags });
  writeWarnings(config, stderr);
  let exit: number = EXIT_CODES.done.exit;
  for (const { name, attempt } of partsOf(config, checkSource)) {
    const fault = await faultOf(attempt);
    if (fault !== null && exit === EXIT_CODES.done.exit) exit = fault.exit;
    stdout.write(config.output === "json" ? `${JSON.stringify({ part: name, ...told(fault) })}\n` : renderLine(name, fault));
  }
  return exit;
}

function partsOf(config: ServeConfig, checkSource: CheckSource | null): Part[] {
  const parts: Part[] = [
    { name: `root ${config.root}`, attempt: () => checkRoot(config.root) },
    { name: `sink ${config.sinkUrl}`, attempt: (signal) => checkSink(config, signal) },
  ];
  if (checkSource !== null) parts.push({ name: `source ${config.sourceUrl}`, attempt: (signal) => checkSource(config, signal) });
  return parts;
}

/** Null if the part works. */
async function faultOf(attempt: Part["attempt"]): Promise<DumpError | null> {
  try {
    await attempt(AbortSignal.timeout(PART_TIMEOUT_MS));
    return null;
  } catch (error) {
    if (error instanceof DumpError) return error;
    if (error instanceof Error && error.name === "TimeoutError") {
      return new DumpError("SINK_UNAVAILABLE", `no answer within ${PART_TIMEOUT_MS / 1000} s; check the address and what lies between`);
    }
    throw error;
  }
}

function told(fault: DumpError | null) {
  return fault === null ? { ok: true } : { ok: false, code: fault.code, message: fault.message };
}

function renderLine(name: string, fault: DumpError | null): string {
  return fault === null ? `✅ ${name}\n` : `❌ ${name}: ${fault.code}: ${fault.message.replace(/\s*\n\s*/g, " ")}\n`;
}

/** A sink that waits for its destination to come back says why; here the first reason is the answer. */
async function checkSink({ sinkUrl }: ServeConfig, signal: AbortSignal): Promise<void> {
  const lost = new AbortController();
  const reconnecting = (reason: string) => lost.abort(new DumpError("SINK_UNAVAILABLE", `${reason}; check its address, that it runs and that it lets us in`));
  await using sink = openSink(sinkUrl.reveal(), { ...NO_EVENTS, reconnecting });
  await sink.check(AbortSignal.any([signal, lost.signal]));
}

async function checkRoot(root: string): Promise<void> {
  try {
    if (!(await stat(root)).isDirectory()) throw new DumpError("STATE_UNWRITABLE", "it is no folder; name another with DISCOGS_ROOT or --root");
    await access(root, constants.R_OK | constants.W_OK | constants.X_OK);
    const { bavail, bsize } = await statfs(root);
    if (bavail * bsize < FREE_BYTES_MIN) throw new DumpError("STATE_UNWRITABLE", "no space left; free some");
  } catch (cause) {
    if (cause instanceof DumpError) throw cause;
    throw new DumpError("STATE_UNWRITABLE", rootAdvice(systemCode(cause)), { cause });
  }
}

function rootAdvice(code: string | undefined): string {
  if (code === "ENOENT") return "there is no such folder; create it, mount it, or name another with DISCOGS_ROOT or --root";
  if (code === "EACCES" || code === "EPERM") return `permission denied; make it writable for user ${process.getuid?.() ?? "of this process"}`;
  if (code === "EROFS") return "the file system is read-only; mount it writable";
  return `it cannot be used (${code}); check the disk`;
}
