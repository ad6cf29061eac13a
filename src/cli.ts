#!/usr/bin/env node
import { Command, CommanderError, Option } from "commander";
import type { CommandContext, Stop, StopSignal } from "./commands/context.ts";
import { runDemo } from "./commands/demo.ts";
import { EXIT_CODES } from "./commands/exit-codes.ts";
import { runExtract } from "./commands/extract.ts";
import { GENERATE_OPTIONS, runGenerate } from "./commands/generate.ts";
import { runStateCheck, runStateReset, runStateShow } from "./commands/state.ts";
import { runValidate } from "./commands/validate.ts";
import { runVersion } from "./commands/version.ts";
import { envOf, flagOf, OPTION_KEYS, type OptionKey, optionOf } from "./config/options.ts";
import { type Flags, wantsJson } from "./config.ts";
import { DumpError, ERROR_CODES, systemCode } from "./errors.ts";
import { isBrokenPipe } from "./sink/sink-errors.ts";
import type { Telemetry } from "./telemetry.ts";

/** A run that was told to break off and does not is ended after so long. */
const BREAK_OFF_TIMEOUT_MS = 2_000;

type RawFlags = Flags & { readonly quiet?: boolean; readonly verbose?: boolean };

const context: CommandContext = {
  stdout: process.stdout,
  stderr: process.stderr,
  // Loaded late: the application brings the addon and the pool, which most commands do without.
  extract: async (request, runContext) => (await import("./discogs/extract.ts")).extract(request, runContext),
  listen,
};

process.stdout.on("error", (error) => {
  // Whoever read our output has enough, as `head` does: no fault, and nobody to tell.
  if (systemCode(error) === "EPIPE") process.exit(EXIT_CODES.done.exit);
  const cause = new DumpError("SINK_UNAVAILABLE", `standard output: cannot be written (${systemCode(error) ?? error.message})`, { cause: error });
  process.exit(report(cause, outputFlag(process.argv)));
});
process.stderr.on("error", () => {});
process.exitCode = await main(process.argv.slice(2));

/** Runs one command; resolves with the exit code. */
async function main(argv: readonly string[]): Promise<number> {
  try {
    let exit: number = EXIT_CODES.done.exit;
    const program = buildProgram((code) => {
      exit = code;
    });
    // `--version` works like the command of that name, so that it can be verbose.
    await program.parseAsync(argv[0] === "--version" || argv[0] === "-V" ? ["version", ...argv.slice(1)] : argv, { from: "user" });
    return exit;
  } catch (error) {
    return report(error, outputFlag(argv));
  }
}

function buildProgram(finish: (code: number) => void): Command {
  const program = new Command("deadwax")
    .description("High-throughput incremental extractor for the monthly Discogs data dumps")
    .option("-V, --version", "print the version; with --verbose also how the native core was built")
    .enablePositionalOptions()
    .exitOverride()
    .configureOutput({ outputError: () => {} }); // told by `report`, in one place and one form

  withOptions(program.command("extract").argument("[files...]", "dumps to extract, or - for standard input"), OPTION_KEYS)
    .description("bring the records of one version into a sink")
    .action(async (files: string[], flags: RawFlags) => finish(await runExtract(files, expand(flags), context)));

  const state = program.command("state").description("show, check or reset what is known of earlier runs");
  const stateKeys = ["root", "state", "output"] as const;
  withOptions(state.command("show"), stateKeys)
    .description("print the state of every version")
    .action(async (flags: Flags) => finish(await runStateShow(flags, context)));
  withOptions(state.command("check"), stateKeys)
    .description("tell whether the state is sound; changes nothing")
    .action(async (flags: Flags) => finish(await runStateCheck(flags, context)));
  withOptions(state.command("reset").argument("<versions...>", "versions that are to start afresh"), stateKeys)
    .description("start versions afresh; the old state is kept beside")
    .action(async (versions: string[], flags: Flags) => finish(await runStateReset(versions, flags, context)));

  withOptions(program.command("validate"), OPTION_KEYS)
    .description("check the settings and print them; touches neither dumps nor network")
    .action((flags: RawFlags) => finish(runValidate(expand(flags), context)));

  const generate = program.command("generate").description("write a synthetic dump");
  for (const [key, { argument, fallback, meaning }] of Object.entries(GENERATE_OPTIONS)) {
    generate.option(`--${key} <${argument}>`, fallback === null ? `${meaning} (required)` : `${meaning} (default: ${fallback})`);
  }
  withOptions(generate, ["output"]).action(async (flags: Parameters<typeof runGenerate>[0]) => finish(await runGenerate(flags, context)));

  program
    .command("demo")
    .description("make a small synthetic dump in ./deadwax-demo and extract it")
    .action(async () => finish(await runDemo(context)));
  program
    .command("version")
    .description("print the version")
    .option("-v, --verbose", "also print how the native core was built")
    .action(async (flags: { verbose?: boolean }) => finish(await runVersion(flags, context)));
  return program;
}

function withOptions(command: Command, keys: readonly OptionKey[]): Command {
  for (const key of keys) {
    const { argument, meaning, fallback, fallbackText } = optionOf(key);
    const notes = [`env: ${envOf(key)}`, ...(fallback === null && fallbackText === undefined ? [] : [`default: ${fallbackText ?? fallback}`])];
    // Never a default here: it would hide the environment.
    command.addOption(new Option(argument === null ? flagOf(key) : `${flagOf(key)} <${argument}>`, `${meaning} (${notes.join(", ")})`));
  }
  if (keys.includes("logLevel")) {
    command.addOption(new Option("-q, --quiet", "short for --log-level warn").conflicts(["verbose", "logLevel"]));
    command.addOption(new Option("-v, --verbose", "short for --log-level debug").conflicts(["quiet", "logLevel"]));
  }
  return command;
}

/** Writes the abbreviations out. */
function expand({ quiet, verbose, ...flags }: RawFlags): Flags {
  if (quiet === true) return { ...flags, logLevel: "warn" };
  return verbose === true ? { ...flags, logLevel: "debug" } : flags;
}

/** The first signal raises `stopping`; a second one or the drain timeout aborts `signal`; a third ends the process. */
function listen(drainTimeoutMs: number, telemetry: Telemetry): Stop {
  const stopping = new AbortController();
  const abort = new AbortController();
  let received: StopSignal | null = null;
  let timer: NodeJS.Timeout | undefined;
  const breakOff = (reason: string) => {
    telemetry.stopForced(reason);
    abort.abort();
    clearTimeout(timer);
    timer = setTimeout(() => process.exit(EXIT_CODES.failed.exit), BREAK_OFF_TIMEOUT_MS).unref();
  };
  const onSignal = (name: StopSignal) => {
    if (abort.signal.aborted) process.exit(EXIT_CODES.failed.exit);
    if (received !== null) return breakOff(`${name} again`);
    received = name;
    telemetry.stopRequested(name);
    stopping.abort();
    timer = setTimeout(() => breakOff(`no checkpoint within ${drainTimeoutMs} ms`), drainTimeoutMs).unref();
  };
  process.on("SIGINT", onSignal).on("SIGTERM", onSignal);
  return {
    stopping: stopping.signal,
    signal: abort.signal,
    get received() {
      return received;
    },
    [Symbol.dispose]() {
      // A run that was broken off may leave a write behind that nobody takes: then the timer ends the process.
      if (!abort.signal.aborted) clearTimeout(timer);
      process.off("SIGINT", onSignal).off("SIGTERM", onSignal);
    },
  };
}

/** Tells a failure in one line and gives its exit code. */
function report(error: unknown, output: string | undefined): number {
  if (isBrokenPipe(error)) return EXIT_CODES.done.exit;
  if (error instanceof CommanderError && error.exitCode === 0) return EXIT_CODES.done.exit; // help was asked for
  if (error instanceof CommanderError && error.code === "commander.help") return EXIT_CODES.usage.exit; // and printed instead
  const { code, message } = describe(error);
  const line = message.replace(/\s*\n\s*/g, " ");
  const text = wantsJson({ output }) ? JSON.stringify({ error: { code, message: line } }) : `deadwax: ${code}: ${line}`;
  process.stderr.write(`${text}\n`);
  return ERROR_CODES[code].exit;
}

function describe(error: unknown): { code: keyof typeof ERROR_CODES; message: string } {
  if (error instanceof DumpError) return { code: error.code, message: error.message };
  if (error instanceof CommanderError) return { code: "CONFIG_INVALID", message: error.message.replace(/^error: /, "") };
  // A defect: where it happened is the most useful thing to report.
  return { code: "INTERNAL", message: error instanceof Error ? (error.stack ?? error.message) : String(error) };
}

/** The value of `--output`, wherever it stands; needed before the arguments are known to be sound. */
function outputFlag(argv: readonly string[]): string | undefined {
  const joined = argv.find((argument) => argument.startsWith("--output="));
  return joined?.slice("--output=".length) ?? argv[argv.indexOf("--output") + 1 || argv.length];
}
