import { readFileSync } from "node:fs";
import { Ajv2020, type ValidateFunction } from "ajv/dist/2020.js";

export const MESSAGE_SCHEMAS = [
  "topic-record",
  "fanout-record",
  "file-complete",
  "extraction-complete",
  "change-notification",
  "change-summary",
  "tombstone",
  "deleted-line",
] as const;
/** A message that consumers get, or a line of a file, by the name of its schema under docs/messages. */
export type MessageSchema = (typeof MESSAGE_SCHEMAS)[number];

const ajv = new Ajv2020({ strict: true, allErrors: false });
const compiled = new Map<MessageSchema, ValidateFunction>();

/** Why a body does not keep to a schema of docs/messages, or null if it does. */
export function schemaFault(name: MessageSchema, body: string): string | null {
  const validate = compiled.get(name) ?? ajv.compile(JSON.parse(readFileSync(new URL(`../../docs/messages/${name}.schema.json`, import.meta.url), "utf8")));
  compiled.set(name, validate);
  return validate(JSON.parse(body)) ? null : `${ajv.errorsText(validate.errors)}: ${body.slice(0, 300)}`;
}
