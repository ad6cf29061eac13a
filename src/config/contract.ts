import type { Contract } from "../model.ts";
import { brokerUrl, isBrokerUrl, withParameters } from "./broker-url.ts";
import { changeParameters } from "./notification-options.ts";
import type { ValuesOf } from "./option.ts";
import type { Origin, Resolved } from "./resolve.ts";
import { SERVE_OPTIONS } from "./serve-options.ts";
import { BROKER, sinksFault } from "./sink-urls.ts";

type ServeTable = typeof SERVE_OPTIONS;
type Values = ValuesOf<ServeTable>;
/** What names a broker and the contract that is spoken through it. */
type BrokerKey = "contract" | "amqpConnection" | (typeof RABBITMQ_KEYS)[number];
type BrokerTable = Pick<ServeTable, BrokerKey>;
/** A resolved table that has those settings, among others. */
export type BrokerResolved = {
  readonly values: ValuesOf<BrokerTable>;
  readonly origins: Readonly<Record<BrokerKey, Origin> & Partial<Record<"sink", Origin>>>;
  readonly names: Readonly<Record<BrokerKey, string>>;
};

const RABBITMQ_KEYS = ["rabbitmqUsername", "rabbitmqPassword", "rabbitmqHost", "rabbitmqPort"] as const;
const SAY = "say with DEADWAX_CONTRACT or --contract which contract consumers speak, topic or fanout";

/** A choice, and what it follows from. */
export interface Chosen<T> {
  readonly value: T;
  readonly origin: Origin;
  readonly name: string;
}

/** Why nothing can be chosen. */
export class Fault {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }
}

/** The contract of a service; null where it was said, but not in a way that can be understood. */
export function chooseContract({ values, origins, names }: BrokerResolved): Chosen<Contract> | Fault | null {
  const amqp = origins.amqpConnection === "default" ? undefined : ("amqpConnection" as const);
  const rabbitmq = RABBITMQ_KEYS.find((key) => origins[key] !== "default");
  if (values.contract !== null) return { value: values.contract, origin: origins.contract, name: names.contract };
  if (origins.contract !== "default") return null;
  if (amqp !== undefined && rabbitmq !== undefined) {
    return new Fault(`both ${names[amqp]}, which means the topic contract, and ${names[rabbitmq]}, which means fanout, are set; unset one, or ${SAY}`);
  }
  const key = amqp ?? rabbitmq;
  if (key !== undefined) return { value: key === amqp ? "topic" : "fanout", origin: origins[key], name: names[key] };
  if ((origins.sink ?? "default") !== "default") return new Fault(`the contract is not known: ${SAY}`);
  return new Fault("no broker is named: set AMQP_CONNECTION for the topic contract, or RABBITMQ_HOST, RABBITMQ_USERNAME and RABBITMQ_PASSWORD for fanout");
}

/** The sinks' URLs with all that the settings say about them, or why there are none. */
export function chooseSinks({ values, origins, names }: Resolved<ServeTable>, contract: Contract): Chosen<readonly string[]> | Fault {
  const broker = chooseBroker({ values, origins }, contract);
  const named = values.sink ?? [BROKER];
  if (broker === null && named.includes(BROKER)) return new Fault("no broker is named: set AMQP_CONNECTION");
  if (named.includes("-")) return new Fault(`${names.sink} -: standard output is where the log goes; name another sink`);
  const urls = named.map((url) => (url === BROKER && broker !== null ? broker.url : url));
  if (values.caFile !== null && urls.some((url) => isBrokerUrl(url) && !/^amqps:/i.test(url))) {
    return new Fault(`${names.caFile}: the broker is spoken to without TLS; make its URL amqps://`);
  }
  const value = urls.map((url) => (isBrokerUrl(url) ? withParameters(url, parametersOf(values, contract)) : url));
  const key = values.sink === null && broker !== null ? broker.key : "sink";
  const fault = sinksFault(value);
  return fault === null ? { value, origin: origins[key], name: names[key] } : new Fault(fault);
}

function parametersOf(values: Values, contract: Contract) {
  return {
    // What is the contract's own is left to the sink, so that a run by hand without it finds the same state.
    exchange: contract === "topic" || values.exchangePrefix === SERVE_OPTIONS.exchangePrefix.fallback ? null : values.exchangePrefix,
    queue_type: contract === "topic" ? values.queueType : null,
    window_messages: values.windowMessages,
    window_bytes: values.windowBytes,
    confirm_timeout_ms: values.confirmTimeoutMs,
    reconnect_timeout_ms: values.reconnectTimeoutMs,
    ...changeParameters(values),
    cacertfile: values.caFile,
  };
}

/** The broker of the variables; null: none is named. Where the contract was said, the variables of the other one still name it if its own are not set. */
export function chooseBroker({ values, origins }: Pick<BrokerResolved, "values" | "origins">, contract: Contract) {
  const named = RABBITMQ_KEYS.find((key) => origins[key] !== "default");
  const amqp = values.amqpConnection === null ? null : { url: values.amqpConnection, key: "amqpConnection" as const };
  if (amqp !== null && (contract === "topic" || named === undefined)) return amqp;
  if (contract === "topic" && named === undefined) return null;
  const { rabbitmqUsername: username, rabbitmqPassword: password, rabbitmqHost, rabbitmqPort: port } = values;
  return { url: brokerUrl({ username, password, host: rabbitmqHost, port }), key: named ?? ("rabbitmqHost" as const) };
}
