import type { RulesFile } from "../config/rules-file.ts";
import type { Config } from "../config.ts";
import { DumpError } from "../errors.ts";
import type { DataType } from "../model.ts";
import { type ExtractContext, extractLocked } from "./extract.ts";
import { findDumps, toRequest } from "./plan.ts";

/**
 * Makes an index of what dumps hold, as if a run had just delivered them: nothing is delivered, and nothing else is kept. `versions` are those
 * that the sink is known to have, by data type.
 */
export async function indexDumps(
  config: Config,
  rules: RulesFile | null,
  indexRoot: string,
  versions: ReadonlyMap<DataType, string | null>,
  context: ExtractContext,
): Promise<void> {
  const found = await findDumps(config);
  const inputs = found.inputs.filter(({ dataType }) => dataType !== null && versions.has(dataType));
  const missing = [...versions.keys()].filter((wanted) => !inputs.some(({ dataType }) => dataType === wanted));
  if (missing.length > 0) throw new DumpError("CONFIG_INVALID", `there is no dump of ${missing.join(", ")} among those that are named`);
  for (const { dataType, name, version } of inputs) {
    const known = dataType === null ? null : (versions.get(dataType) ?? null);
    if (known === null || !/^\d{8}$/.test(known) || known === version || config.force) continue;
    const advice = `name the dump of ${known}, or with --force take what this one holds for what the sink has`;
    throw new DumpError("CONFIG_INVALID", `${name}: the sink has ${known} of ${dataType}, not ${version}; ${advice}`);
  }
  const request = toRequest(config, { ...found, inputs }, rules);
  if (request.incremental === null) throw new DumpError("INTERNAL", "a record index is made in incremental mode only; please report it");
  await extractLocked(
    {
      ...request,
      incremental: { ...request.incremental, indexRoot },
      rules: rules === null ? null : { ...rules, flaggedRoot: indexRoot },
      sinkUrls: ["null:"],
      stateRoot: null,
      force: true,
    },
    context,
  );
}
