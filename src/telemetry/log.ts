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

/** Upstream's names in either case: DEBUG, INFO, WARNING or WARN, ERROR, CRITICAL; TRACE is debug, and what has no meaning is info. */
export function logLevelOf(name: string): Exclude<LogLevel, "silent"> {
  switch (name.trim().toLowerCase()) {
    case "trace":
    case "debug":
      return "debug";
    case "warn":
    case "warning":
      return "warn";
    case "error":
    case "critical":
      return "error";
    default:
      return "info";
  }
}

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
