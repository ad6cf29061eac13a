import { DumpError } from "../errors.ts";
import type { PostgresConfig } from "./config.ts";
import { connect, disconnect } from "./connect.ts";
import { postgresFailure } from "./failures.ts";
import { missingStateObjects } from "./state-objects.ts";

/** Throws STATE_UNAVAILABLE unless the database can be reached and has every table and index that the state needs; changes nothing. */
export async function checkState(config: PostgresConfig, signal?: AbortSignal): Promise<void> {
  try {
    const client = await connect(config, () => {}, signal);
    try {
      const missing = await missingStateObjects(client, config.schema, config.name);
      if (missing.length > 0) throw new DumpError("STATE_UNAVAILABLE", `state ${config.name}: ${missing.join("; ")}`);
    } finally {
      await disconnect(client);
    }
  } catch (error) {
    throw stateFailure(postgresFailure(config.name, "cannot be checked", error));
  }
}

/** Failures of connections speak of sinks; this is the same, said of the state. */
export function stateFailure(error: unknown): unknown {
  if (!(error instanceof DumpError) || error.code !== "SINK_UNAVAILABLE") return error;
  return new DumpError("STATE_UNAVAILABLE", error.message.replace(/^sink /, "state "), { cause: error });
}
