import type { DumpError } from "../errors.ts";
import { logFormatFor } from "../telemetry/log.ts";
import type { TextOutput } from "../telemetry/screen.ts";

/** Who collects the log of a service finds there too why there is none; standard error has it in any case. `output`: what was asked for. */
export function writeStartFailure({ code, message: reason }: DumpError, output: string | boolean | undefined, stdout: TextOutput): void {
  if ((output ?? logFormatFor(stdout)) === "text") return;
  const what = code === "CONFIG_INVALID" ? "Configuration error" : "The service cannot start";
  const message = `❌ ${what}: ${reason.replace(/\s*\n\s*/g, " ")}`;
  stdout.write(`${JSON.stringify({ level: "error", time: new Date().toISOString(), code, message })}\n`);
}
