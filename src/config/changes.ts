import { DumpError } from "../errors.ts";
import type { Contract } from "../model.ts";
import { parseAmqpUrl, type RabbitConfig } from "../rabbitmq/config.ts";
import { CHANGES_OPTIONS } from "./changes-options.ts";
import { consumerBrokerUrl } from "./consumer-broker.ts";
import { chooseContract, Fault } from "./contract.ts";
import type { ValuesOf } from "./option.ts";
import { type FlagsOf, resolveTable } from "./resolve.ts";

type Values = ValuesOf<typeof CHANGES_OPTIONS>;

/** What was typed behind `deadwax changes`. */
export type ChangesFlags = FlagsOf<typeof CHANGES_OPTIONS>;

/** Resolved, checked and frozen settings of `deadwax changes`. */
export interface ChangesConfig extends Readonly<Pick<Values, "append" | "service" | "queueExpiresDays" | "logLevel" | "drainTimeoutMs">> {
  readonly contract: Contract;
  readonly broker: RabbitConfig;
}

/** Resolves every setting, or fails once with all that is wrong. `unknown` are the variables that nothing knows. */
export function composeChangesConfig(flags: ChangesFlags, env: NodeJS.ProcessEnv, unknown: readonly string[]): ChangesConfig {
  const resolved = resolveTable(CHANGES_OPTIONS, { flags, env });
  const contract = chooseContract(resolved);
  const isSound = resolved.problems.length === 0;
  const url = contract === null || contract instanceof Fault || !isSound ? null : consumerBrokerUrl(resolved, contract.value);
  const faults = [contract, url].filter((part) => part instanceof Fault).map(({ text }) => text);
  const problems = [...resolved.problems.map(({ text }) => text), ...unknown, ...faults];
  if (problems.length > 0 || contract === null || contract instanceof Fault || url === null || url instanceof Fault) {
    throw new DumpError("CONFIG_INVALID", (problems.length === 1 ? "" : `${problems.length} problems: `) + problems.join("; "));
  }
  const { append, service, queueExpiresDays, logLevel, drainTimeoutMs } = resolved.values;
  const own = { append, service, queueExpiresDays, logLevel, drainTimeoutMs };
  return Object.freeze({ ...own, contract: contract.value, broker: parseAmqpUrl(url, "broker") });
}
