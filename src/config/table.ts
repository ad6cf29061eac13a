import { DumpError } from "../errors.ts";
import type { Contract } from "../model.ts";
import { type PostgresConfig, parsePostgresUrl } from "../postgres/config.ts";
import { parseAmqpUrl, type RabbitConfig } from "../rabbitmq/config.ts";
import { consumerBrokerUrl } from "./consumer-broker.ts";
import { chooseContract, Fault } from "./contract.ts";
import { TABLE_ACCEPTED_AND_IGNORED } from "./ignored.ts";
import { logFileOf } from "./log-file.ts";
import type { ValuesOf } from "./option.ts";
import { missingPostgres, postgresUrl } from "./postgres.ts";
import { type FlagsOf, type Problem, type Resolved, resolveTable } from "./resolve.ts";
import { TABLE_OPTIONS } from "./table-options.ts";
import { ignoredWarnings } from "./warnings.ts";

const LOG_FILE_NAME = "tableinator.log";
/** What the process ends with, as the service does: usage is 2. */
const EXIT = { configuration: 1, usage: 2 };

type TableTable = typeof TABLE_OPTIONS;
type Values = ValuesOf<TableTable>;

/** What was typed behind `deadwax table`. */
export type TableFlags = FlagsOf<TableTable>;

/** Resolved, checked and frozen settings of the table writer. */
export interface TableConfig
  extends Readonly<
    Pick<Values, "healthHost" | "healthPort" | "logLevel" | "logFile" | "output" | "startupDelaySeconds" | "stallSeconds" | "drainTimeoutMs" | "migrate">
  > {
  readonly contract: Contract;
  readonly broker: RabbitConfig;
  readonly postgres: PostgresConfig;
  readonly batchSize: number;
  readonly flushIntervalMs: number;
  /** What deserves a line at the start. */
  readonly warnings: readonly string[];
}

/** Resolves every setting of the table writer, or fails once with all that is wrong. `unknown` are the variables that nothing knows. */
export function composeTableConfig(flags: TableFlags, env: NodeJS.ProcessEnv, unknown: readonly string[]): TableConfig {
  const resolved = resolveTable(TABLE_OPTIONS, { flags, env });
  const contract = chooseContract(resolved);
  const isSound = resolved.problems.length === 0;
  const broker = contract === null || contract instanceof Fault || !isSound ? null : consumerBrokerUrl(resolved, contract.value);
  const missing = missingPostgres(resolved);
  const faults = [contract, broker].filter((part) => part instanceof Fault).map(({ text }) => text);
  const problems = [...resolved.problems, ...[...unknown, ...faults, ...(missing === null ? [] : [missing])].map((text) => ({ text, isUsage: false }))];
  if (problems.length > 0 || contract === null || contract instanceof Fault || broker === null || broker instanceof Fault) return fail(problems);
  const { values } = resolved;
  const { healthHost, healthPort, logLevel, logFile, output, startupDelaySeconds, stallSeconds, drainTimeoutMs, migrate } = values;
  return Object.freeze({
    ...{ healthHost, healthPort, logLevel, output, startupDelaySeconds, stallSeconds, drainTimeoutMs, migrate },
    logFile: logFile === null ? null : logFileOf(logFile, LOG_FILE_NAME),
    contract: contract.value,
    broker: refused(() => parseAmqpUrl(broker, "broker")),
    postgres: refused(() => postgresOf(resolved)),
    batchSize: values.postgresBatchMode ? values.postgresBatchSize : 1,
    flushIntervalMs: values.postgresBatchFlushInterval * 1000,
    warnings: ignoredWarnings(TABLE_ACCEPTED_AND_IGNORED, env, [], [broker]),
  });
}

/** Failures in passing are told at once: who consumes waits and tries again by himself. */
function postgresOf(resolved: Resolved<TableTable>): PostgresConfig {
  const { derive, purge, purgeMax } = resolved.values;
  const config = parsePostgresUrl(postgresUrl(resolved).reveal());
  return { ...config, derive: derive === "on", purge: purge === "on", purgeMax, reconnectTimeoutMs: 0 };
}

/** What the URLs themselves refuse is a fault of the configuration too. */
function refused<T>(parse: () => T): T {
  try {
    return parse();
  } catch (error) {
    throw error instanceof DumpError ? new DumpError(error.code, error.message, { cause: error, exit: EXIT.configuration }) : error;
  }
}

function fail(problems: readonly Problem[]): never {
  const title = problems.length === 1 ? "" : `${problems.length} problems: `;
  const exit = problems.some(({ isUsage }) => isUsage) ? EXIT.usage : EXIT.configuration;
  throw new DumpError("CONFIG_INVALID", title + problems.map(({ text }) => text).join("; "), { exit });
}
