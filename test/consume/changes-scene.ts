import type { Contract, DataType } from "../../src/model.ts";
import type { VirtualHost } from "../services/virtual-host.ts";

export const RUN_ID = "2f1e5a3c-0000-4000-8000-000000000001";

/** The five fields of a change. */
export function change(recordId: string, kind: "created" | "updated" | "deleted", dataType: DataType = "artists") {
  return { data_type: dataType, record_id: recordId, change_type: kind, processing_run_id: RUN_ID, timestamp: "2026-08-05T04:00:00.000Z" };
}

/** Where a contract's changes are told, and what a service's queue of them is called. */
export function changesNames(contract: Contract, service: string) {
  if (contract === "topic") return { exchange: "discogsography-exchange", queue: `discogsography-${service}-changes` };
  return { exchange: "discogsography-discogs-changes", queue: `discogsography-discogs-${service}-changes` };
}

/** Publishes messages of changes; resolves once the broker has them. */
export async function publishChanges(host: VirtualHost, contract: Contract, bodies: readonly (object | string)[], hash?: string): Promise<void> {
  const channel = await host.channel();
  await channel.confirmSelect();
  const { exchange } = changesNames(contract, "");
  const headers = hash === undefined ? {} : { headers: { "x-deadwax-hash": hash } };
  const envelope = { exchange, durable: true, contentType: "application/json", ...headers };
  await Promise.all(
    bodies.map((body, index) => {
      const dataType = typeof body === "object" && "data_type" in body ? String(body.data_type) : "artists";
      const text = typeof body === "string" ? body : JSON.stringify(body);
      return channel.basicPublish({ ...envelope, routingKey: `${dataType}.changes`, messageId: `20260801/${dataType}/${index}/change` }, Buffer.from(text));
    }),
  );
}
