import type { ServeConfig, ServeFlags } from "../config/serve.ts";
import { resolveServeConfig } from "../config.ts";
import { DumpError } from "../errors.ts";
import type { TextOutput } from "../telemetry/screen.ts";
import type { CommandContext } from "./context.ts";
import { EXIT_CODES } from "./exit-codes.ts";

/** `deadwax serve`: the service; resolves with the exit code, which is upstream's: 0 after a signal, 1 after a failed first run. */
export async function runServe(flags: ServeFlags, context: CommandContext): Promise<number> {
  const config = resolveServeConfig({ flags });
  writeWarnings(config, context.stderr);
  try {
    await context.serve(config, context);
  } catch (error) {
    // To whoever restarts the container every failure is the same.
    throw error instanceof DumpError ? new DumpError(error.code, error.message, { cause: error, exit: EXIT_CODES.failed.exit }) : error;
  }
  return EXIT_CODES.done.exit;
}

/** One line for each setting that is there and does nothing. */
export function writeWarnings({ warnings, output }: ServeConfig, stderr: TextOutput): void {
  const isJson = output === "json" || (output === null && stderr.isTTY !== true);
  for (const warning of warnings) {
    const message = `⚠️ ${warning}`;
    stderr.write(isJson ? `${JSON.stringify({ level: "warn", message })}\n` : `${message}\n`);
  }
}
