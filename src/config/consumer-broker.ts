import type { Contract } from "../model.ts";
import { isBrokerUrl, withParameters } from "./broker-url.ts";
import { type BrokerResolved, chooseBroker, Fault } from "./contract.ts";
import { SERVE_OPTIONS } from "./serve-options.ts";

/** Settings of a consumer that say something of its broker. */
interface Resolved extends BrokerResolved {
  readonly values: BrokerResolved["values"] & { readonly caFile: string | null; readonly exchangePrefix: string; readonly queueType?: string };
  readonly names: BrokerResolved["names"] & { readonly caFile: string };
}

/** The broker's URL with what the other settings say about it, or why there is none. */
export function consumerBrokerUrl(resolved: Resolved, contract: Contract): string | Fault {
  const { values, names } = resolved;
  const broker = chooseBroker(resolved, contract);
  if (broker === null || !isBrokerUrl(broker.url)) return new Fault("no broker is named: set AMQP_CONNECTION");
  if (values.caFile !== null && !/^amqps:/i.test(broker.url)) return new Fault(`${names.caFile}: the broker is spoken to without TLS; make its URL amqps://`);
  return withParameters(broker.url, {
    exchange: contract === "topic" || values.exchangePrefix === SERVE_OPTIONS.exchangePrefix.fallback ? null : values.exchangePrefix,
    queue_type: contract === "topic" ? (values.queueType ?? null) : null,
    cacertfile: values.caFile,
  });
}
