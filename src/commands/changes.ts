import type { ChangesFlags } from "../config/changes.ts";
import { resolveChangesConfig } from "../config.ts";
import type { ChangeMessage } from "../consume/change.ts";
import { type ChangesTarget, consumeChanges } from "../consume/changes-reader.ts";
import type { Refusal } from "../consume/target.ts";
import { Telemetry } from "../telemetry.ts";
import { ChangeFile } from "./change-file.ts";
import type { CommandContext } from "./context.ts";
import { EXIT_CODES } from "./exit-codes.ts";

const READING = { keys: ["*.changes"], prefetch: 1_000, batchSize: 500 };

/** `deadwax changes`: prints the changes that a broker tells of, or appends them to a file, until a signal ends it; resolves with the exit code. */
export async function runChanges(flags: ChangesFlags, { stderr, listen }: CommandContext): Promise<number> {
  const { append, service, queueExpiresDays: expiresDays, contract, broker, logLevel: level, drainTimeoutMs } = resolveChangesConfig({ flags });
  using telemetry = new Telemetry({ level, format: "text", output: stderr, bar: false });
  using stop = listen(drainTimeoutMs, telemetry);
  await using file = append === null ? null : await ChangeFile.open(append);
  const target: ChangesTarget = {
    async take(messages): Promise<readonly Refusal[]> {
      const lines = messages.map(lineOf).join("");
      await (file === null ? print(lines) : file.append(lines));
      return [];
    },
  };
  await consumeChanges({ config: broker, contract, service, expiresDays, ...READING }, target, telemetry.consumer, stop);
  return EXIT_CODES.done.exit;
}

function lineOf({ content }: ChangeMessage): string {
  return `${JSON.stringify(content.kind === "change" ? content.change : content.summary)}\n`;
}

/** Resolves once the reader, or the file, behind standard output has the lines. */
function print(lines: string): Promise<void> {
  return new Promise((resolve, reject) => {
    process.stdout.write(lines, (error) => {
      if (error) reject(error);
      else resolve();
    });
  });
}
