#!/usr/bin/env node
import { basename } from "node:path";
import { Command, CommanderError, Option } from "commander";
import { runChanges } from "./commands/changes.ts";
import { runCheck } from "./commands/check.ts";
import type { CommandContext, Stop, StopSignal } from "./commands/context.ts";
import { runDemo } from "./commands/demo.ts";
import { runDiff } from "./commands/diff.ts";
import { EVOLVE_OPTIONS, type EvolveFlags, isEvolution, runEvolve } from "./commands/evolve.ts";
import { EXIT_CODES } from "./commands/exit-codes.ts";
import { runExtract } from "./commands/extract.ts";
import { GENERATE_OPTIONS, runGenerate } from "./commands/generate.ts";
import { type GetFlags, runGet } from "./commands/get.ts";
import { runMigrate } from "./commands/migrate.ts";
import { type RepublishFlags, runRepublish } from "./commands/republish.ts";
import { runServe } from "./commands/serve.ts";
import { runStateCheck, runStateReset, runStateShow } from "./commands/state.ts";
import { type IndexFlags, runStateExport, runStateImport, runStateRepair } from "./commands/state-index.ts";
import { runTable } from "./commands/table.ts";
import { runValidate, type ValidateFlags } from "./commands/validate.ts";
import { productVersion, runVersion } from "./commands/version.ts";
import type { ChangesFlags } from "./config/changes.ts";
import { CHANGES_OPTIONS } from "./config/changes-options.ts";
import { INDEX_OPTIONS, REBUILD_OPTIONS } from "./config/index-options.ts";
import { LOOK_OPTIONS, PLACE_OPTIONS, RESEND_OPTIONS } from "./config/look-options.ts";
import { flagOf, type OptionTable, type Option as Setting, variablesOf } from "./config/option.ts";
import { OPTIONS } from "./config/options.ts";
import type { ServeFlags } from "./config/serve.ts";
import { SERVE_OPTIONS } from "./config/serve-options.ts";
import type { TableFlags } from "./config/table.ts";
import { TABLE_OPTIONS } from "./config/table-options.ts";
import { type Flags, type MigrateFlags, wantsJson } from "./config.ts";
import { DumpError, ERROR_CODES, type ErrorCode, systemCode } from "./errors.ts";
import { isBrokenPipe } from "./sink/sink-errors.ts";
import type { Telemetry } from "./telemetry.ts";

/** A run that was told to break off and does not is ended after so long. */
const BREAK_OFF_TIMEOUT_MS = 2_000;

/** Under the names of upstream's programs we are what they are. */
const PROGRAMS: Readonly<Record<string, readonly string[]>> = { extractor: ["serve"], rustextractor: ["serve"], tableinator: ["table", "--migrate"] };

/** Flags with their abbreviations. */
type Typed<F> = F & { readonly quiet?: boolean; readonly verbose?: boolean };

const context: CommandContext = {
  stdout: process.stdout,
  stderr: process.stderr,
  // Loaded late: the application brings the addon and the pool, which most commands do without.
  extract: async (request, runContext) => (await import("./discogs/extract.ts")).extract(request, runContext),
  // The service brings that and the broker's client.
  serve: async (config, serviceContext) => (await import("./discogs/service.ts")).serve(config, serviceContext),
  writeTables: async (config, tableContext) => (await import("./table/table.ts")).writeTables(config, tableContext),
  checkSource: async (config, signal) => (await import("./discogs/site.ts")).checkSite(config, await productVersion(), signal),
  listen,
};

process.stdout.on("error", (error) => {
  if (process.stdout.listenerCount("error") > 1) return; // a sink writes there: its run ends with what it throws
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
    await program.parseAsync(commandLine(argv), { from: "user" });
    return exit;
  } catch (error) {
    return report(error, outputFlag(argv));
  }
}

/** The command and its arguments. `--version` works like the command of that name, so that it can be verbose. */
function commandLine(argv: readonly string[]): string[] {
  const [first = "", ...rest] = argv;
  if (first === "--version" || first === "-V") return ["version", ...rest];
  const name = basename(process.argv[1] ?? "");
  const command = Object.hasOwn(PROGRAMS, name) ? PROGRAMS[name] : undefined;
  return [...(command ?? []), ...argv];
}

function buildProgram(finish: (code: number) => void): Command {
  const program = new Command("deadwax")
    .description("High-throughput incremental extractor for the monthly Discogs data dumps")
    .option("-V, --version", "print the version; with --verbose also how the native core was built")
    .enablePositionalOptions()
    .exitOverride()
    .configureOutput({ outputError: () => {} }); // told by `report`, in one place and one form

  withOptions(program.command("extract").argument("[files...]", "dumps to extract, or - for standard input"), OPTIONS)
    .description("bring the records of one version into a sink")
    .action(async (files: string[], flags: Typed<Flags>) => finish(await runExtract(files, expand(flags), context)));
  withOptions(program.command("serve"), SERVE_OPTIONS)
    .description("find, download, verify and publish every new version, and stay up; also what runs under upstream's names")
    .action(async (flags: Typed<ServeFlags>) => finish(await runServe(expand(flags), context)));
  withOptions(program.command("table"), TABLE_OPTIONS)
    .description("bring the messages of the broker into PostgreSQL, and stay up; also what runs under the name of upstream's tableinator")
    .action(async (flags: Typed<TableFlags>) => finish(await runTable(expand(flags), context)));
  withOptions(program.command("changes"), CHANGES_OPTIONS)
    .description("print the changes that an incremental run tells of, or append them to a file, and stay up")
    .action(async (flags: Typed<ChangesFlags>) => finish(await runChanges(expand(flags), context)));
  withOptions(program.command("check"), SERVE_OPTIONS)
    .description("tell whether the service could work: disk, broker, source; creates nothing")
    .action(async (flags: Typed<ServeFlags>) => finish(await runCheck(expand(flags), context)));

  const version = "--version <version>";
  const ofVersion = "of the dumps in a folder, those of this version (default: the newest)";
  withOptions(program.command("get").argument("<type>").argument("<id>").argument("[place]", "dump file, or folder with dumps"), {
    ...PLACE_OPTIONS,
    ...LOOK_OPTIONS,
  })
    .option("--raw", "print the raw XML")
    .option(version, ofVersion)
    .description("print the message body of one record; the first time on a file its access index is built")
    .action(async (type: string, id: string, place: string | undefined, flags: Typed<GetFlags>) =>
      finish(await runGet(type, id, place, expand(flags), context)),
    );

  withOptions(
    program.command("diff").argument("<type>").argument("<id>").argument("<a>", "dump file, or folder with dumps").argument("<b>", "the same"),
    LOOK_OPTIONS,
  )
    .description("tell what has become of a record from A to B, with --output json as an RFC 6902 patch")
    .action(async (type: string, id: string, a: string, b: string, flags: Typed<Flags>) => finish(await runDiff(type, id, [a, b], expand(flags), context)));
  withOptions(program.command("republish").argument("<type>").argument("<ids...>"), { ...PLACE_OPTIONS, ...RESEND_OPTIONS, ...LOOK_OPTIONS })
    .option(version, ofVersion)
    .description("send the messages of some records once more, and nothing else; state is neither read nor written")
    .action(async (type: string, ids: string[], flags: Typed<RepublishFlags>) => finish(await runRepublish(type, ids, expand(flags), context)));

  const state = program.command("state").description("show, check, reset, copy, restore or repair what is known of earlier runs");
  const { root, state: stateFolder, output } = OPTIONS;
  const stateOptions = { root, state: stateFolder, output };
  withOptions(state.command("show"), stateOptions)
    .description("print the state of every version")
    .action(async (flags: Flags) => finish(await runStateShow(flags, context)));
  withOptions(state.command("check"), stateOptions)
    .description("tell whether the state is sound; changes nothing")
    .action(async (flags: Flags) => finish(await runStateCheck(flags, context)));
  withOptions(state.command("reset").argument("<versions...>", "versions that are to start afresh"), stateOptions)
    .description("start versions afresh; the old state is kept beside")
    .action(async (versions: string[], flags: Flags) => finish(await runStateReset(versions, flags, context)));

  const fromTables = "--from <url>";
  withOptions(state.command("export").argument("<dir>", "folder in which a new one is made for this export"), INDEX_OPTIONS)
    .description("copy the record index of a sink, verified, into a folder of its own")
    .action(async (dir: string, flags: Flags) => finish(await runStateExport(dir, flags, context)));
  withOptions(state.command("import").argument("[dir]", "folder of an export, or of several: then the newest of the sink"), INDEX_OPTIONS)
    .option(fromTables, "instead, make the index of what the tables of a PostgreSQL hold")
    .option("--current", "nothing was delivered since the export; otherwise what may have been delivered since is delivered again")
    .description("bring the record index of a sink back, or make it of what a database holds")
    .action(async (dir: string | undefined, flags: IndexFlags) => finish(await runStateImport(dir, flags, context)));
  withOptions(state.command("repair").argument("[files...]", "dumps of the version that the sink has"), { ...INDEX_OPTIONS, ...REBUILD_OPTIONS })
    .option(fromTables, "make it of what the tables of a PostgreSQL hold, instead of dumps")
    .description("read every block of the record index of a sink, and make what is damaged anew from dumps or tables; delivers nothing")
    .action(async (files: string[], flags: Typed<IndexFlags>) => finish(await runStateRepair(files, expand(flags), context)));

  withOptions(program.command("validate").option("--serve", "those of serve; so does any flag that only serve has"), { ...SERVE_OPTIONS, ...OPTIONS })
    .description("check the settings of extract, or of serve, and print them; touches neither dumps nor network")
    .action(async (flags: Typed<ValidateFlags>) => finish(await runValidate(expand(flags), context)));

  const migrate = program
    .command("migrate")
    .argument("[url]", "postgres://USER:PASSWORD@HOST:PORT/DATABASE[?schema=NAME]; without it the variables POSTGRES_*");
  withOptions(migrate.option("--dry-run", "tell what would be done, and change nothing").option("--indexes", "build the indexes of empty tables too"), {
    output,
  })
    .description("bring the tables of a PostgreSQL up to date, from nothing or from discogsography's")
    .action(async (url: string | undefined, flags: MigrateFlags) => finish(await runMigrate(url, flags, context)));

  const generate = program.command("generate").description("write a synthetic dump");
  for (const [key, { argument, fallback, meaning }] of Object.entries(GENERATE_OPTIONS)) {
    generate.option(`--${key} <${argument}>`, fallback === null ? `${meaning} (required)` : `${meaning} (default: ${fallback})`);
  }
  for (const [key, { argument, meaning }] of Object.entries(EVOLVE_OPTIONS)) generate.option(`${flagOf(key)} <${argument}>`, meaning);
  withOptions(generate, { output }).action(async (flags: EvolveFlags & Pick<Flags, "output">) =>
    finish(await (isEvolution(flags) ? runEvolve : runGenerate)(flags, context)),
  );

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

function withOptions(command: Command, table: OptionTable): Command {
  for (const [key, option] of Object.entries(table)) {
    // Never a default here: it would hide the environment.
    if (option.flagless === true) continue;
    const flag = new Option(flagUsage(key, option), `${option.meaning} (${notesOf(key, option).join(", ")})`);
    if (option.split !== undefined) flag.argParser((text: string, before: readonly string[] = []) => [...before, text]);
    command.addOption(flag);
  }
  if ("logLevel" in table) {
    command.addOption(new Option("-q, --quiet", "short for --log-level warn").conflicts(["verbose", "logLevel"]));
    command.addOption(new Option("-v, --verbose", "short for --log-level debug").conflicts(["quiet", "logLevel"]));
  }
  return command;
}

function flagUsage(key: string, { argument, short }: Setting): string {
  return `${short === undefined ? "" : `-${short}, `}${flagOf(key)}${argument === null ? "" : ` <${argument}>`}`;
}

function notesOf(key: string, option: Setting): string[] {
  const { fallback, fallbackText } = option;
  const variables = variablesOf(key, option).map(({ name }) => name);
  return [`env: ${variables.join(" or ")}`, ...(fallback === null && fallbackText === undefined ? [] : [`default: ${fallbackText ?? fallback}`])];
}

/** Writes the abbreviations out. */
function expand<F extends Flags | ServeFlags | TableFlags | ChangesFlags>({ quiet, verbose, ...flags }: Typed<F>): Omit<Typed<F>, "quiet" | "verbose"> {
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
  const { code, message, exit } = describe(error);
  const line = message.replace(/\s*\n\s*/g, " ");
  const text = wantsJson({ output }) ? JSON.stringify({ error: { code, message: line } }) : `deadwax: ${code}: ${line}`;
  process.stderr.write(`${text}\n`);
  return exit;
}

function describe(error: unknown): { code: ErrorCode; message: string; exit: number } {
  if (error instanceof DumpError) return error;
  if (error instanceof CommanderError) return { code: "CONFIG_INVALID", message: error.message.replace(/^error: /, ""), exit: EXIT_CODES.usage.exit };
  // A defect: where it happened is the most useful thing to report.
  return { code: "INTERNAL", message: error instanceof Error ? (error.stack ?? error.message) : String(error), exit: ERROR_CODES.INTERNAL.exit };
}

/** The value of `--output`, wherever it stands; needed before the arguments are known to be sound. */
function outputFlag(argv: readonly string[]): string | undefined {
  const joined = argv.find((argument) => argument.startsWith("--output="));
  return joined?.slice("--output=".length) ?? argv[argv.indexOf("--output") + 1 || argv.length];
}
