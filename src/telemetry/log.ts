import { type Logger, pino } from "pino";
import type { Screen } from "./screen.ts";

/** How and how much is logged. */
export interface LogOptions {
  readonly level: "warn" | "info" | "debug" | "silent";
  /** `json`: one object a line; `text`: the bare message. */
  readonly format: "text" | "json";
}

/** A logger that writes whole lines to a screen. */
export function createLogger(options: LogOptions, screen: Screen): Logger {
  const write = (line: string) => screen.line(options.format === "json" ? line.trimEnd() : messageOf(line));
  return pino(
    {
      level: options.level,
      base: null,
      messageKey: "message",
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
    },
    { write },
  );
}

function messageOf(line: string): string {
  const entry: { message?: string } = JSON.parse(line);
  return entry.message ?? "";
}
