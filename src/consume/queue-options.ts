import type { Contract, DataType } from "../model.ts";
import type { RabbitConfig } from "../rabbitmq/config.ts";
import type { ConsumerName } from "../rabbitmq/topology.ts";

/** Which queue of records is read, and how far ahead. */
export interface QueueOptions {
  readonly config: RabbitConfig;
  readonly contract: Contract;
  readonly consumer: ConsumerName;
  readonly dataType: DataType;
  /** Messages that may be unacknowledged. */
  readonly prefetch: number;
}
