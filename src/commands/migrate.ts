import { type MigrateFlags, resolveMigrateConfig } from "../config.ts";
import { type MigrateEvents, migrate } from "../postgres/migrate.ts";
import type { TextOutput } from "../telemetry/screen.ts";
import type { CommandContext } from "./context.ts";
import { EXIT_CODES } from "./exit-codes.ts";
import { productVersion } from "./version.ts";

/** `deadwax migrate`: brings the tables of a PostgreSQL up to date, or tells what would be done; each step is one line. */
export async function runMigrate(url: string | undefined, flags: MigrateFlags, { stdout }: CommandContext): Promise<number> {
  const { postgres: config, isJson } = resolveMigrateConfig({ url, flags });
  const { dryRun = false, indexes = false } = flags;
  const events = isJson ? jsonEvents(stdout, dryRun) : textEvents(stdout, dryRun);
  const report = await migrate({ config, version: await productVersion(), dryRun, indexes: indexes ? "all" : "filled", events });
  if (isJson) stdout.write(`${JSON.stringify({ database: config.name, dryRun, ...report })}\n`);
  else stdout.write(`${dryRun ? "" : "✅ "}${config.name}: ${summary(report, dryRun)}\n`);
  return EXIT_CODES.done.exit;
}

function summary({ migration, applied, indexes }: Awaited<ReturnType<typeof migrate>>, dryRun: boolean): string {
  if (dryRun) return `${applied} migrations to apply, ${indexes} indexes to build; nothing was changed`;
  return `at migration ${migration}; ${applied} applied, ${indexes} indexes built`;
}

function textEvents(stdout: TextOutput, dryRun: boolean): MigrateEvents {
  const line = (text: string) => stdout.write(`${text}\n`);
  return {
    waiting: (reason) => line(`⏳ waiting: ${reason}`),
    created: (what, name) => line(dryRun ? `would create the ${what} ${name}` : `✅ ${what} ${name} created`),
    applied: (name) => line(dryRun ? `would apply ${name}` : `✅ ${name} applied`),
    building: (name) => line(`⏳ building ${name}`),
    built: (name, seconds) => line(dryRun ? `would build ${name}` : `✅ ${name} built in ${seconds.toFixed(1)} s`),
    leftOut: (name, reason) => line(`⚠️ ${name} left out: ${reason}`),
  };
}

function jsonEvents(stdout: TextOutput, dryRun: boolean): MigrateEvents {
  const line = (step: string, name: string, more: object = {}) => stdout.write(`${JSON.stringify({ step, name, dryRun, ...more })}\n`);
  return {
    waiting: (reason) => line("waiting", reason),
    created: (what, name) => line(`${what} created`, name),
    applied: (name) => line("migration applied", name),
    building: (name) => line("index begun", name),
    built: (name, seconds) => line("index built", name, { seconds: Number(seconds.toFixed(3)) }),
    leftOut: (name, reason) => line("index left out", name, { reason }),
  };
}
