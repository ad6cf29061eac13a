import { type Logger, pino } from "pino";
import type { Clock } from "./clock.ts";
import { LogFile } from "./log-file.ts";
import type { Screen, TextOutput } from "./screen.ts";

/** How and how much is logged. */
export interface LogOptions {
  readonly level: LogLevel;
  /** `json`: one object a line; `text`: the bare message. */
  readonly format: "text" | "json";
  /** A file that gets every line as JSON beside; appended to. */
  readonly file?: string | null;
}

export type LogLevel = "error" | "warn" | "info" | "debug" | "silent";

/** A service talks to people on a terminal and to machines everywhere else. */
export function logFormatFor(output: TextOutput): "text" | "json" {
  return output.isTTY === true ? "text" : "json";
}

/** A logger that writes whole lines to a screen, and to a file where one is named. */
export function createLogger(options: LogOptions, screen: Screen, clock: Clock): Logger {
  const path = options.file ?? null;
  const file = path === null ? null : new LogFile(path, clock, (message) => log.warn({ path }, message));
  const write = (line: string) => {
    screen.line(options.format === "json" ? line.trimEnd() : messageOf(line));
    file?.write(line);
  };
  const log = pino(
    {
      level: options.level,
      base: null,
      messageKey: "message",
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
    },
    { write },
  );
  return log;
}

function messageOf(line: string): string {
  const entry: { message?: string } = JSON.parse(line);
  return entry.message ?? "";
}
