/** The shape of a rules file as zod sees it; what a file may leave out, and what is not looked at, is upstream's. */
import { z } from "zod";
import { DATA_TYPES } from "../model.ts";

/** Types that a file may speak of; `release-groups` are not in Discogs dumps. */
const TYPES = [...DATA_TYPES, "release-groups"] as const;
/** Most rules of one kind and data type. */
const RULES_MAX = 1_000;
/** Most values of one `enum`. */
const ENUM_VALUES_MAX = 10_000;

/** Longest field. */
const FIELD_CHARS_MAX = 1_000;

const text = z.string({ error: "give text, in quotes if it looks like anything else" });
const field = text.max(FIELD_CHARS_MAX);
const number = z.number({ error: "give a number" });
const size = z.int({ error: "give a whole number" }).nonnegative("give a number of at least 0");

const bounds = { min: number.nullish(), max: number.nullish() };

const condition = z.discriminatedUnion(
  "type",
  [
    z.object({ type: z.literal("required") }),
    z.object({ type: z.literal("range"), ...bounds }),
    z.object({ type: z.literal("regex"), pattern: text }),
    z.object({ type: z.literal("length"), min: size.nullish(), max: size.nullish() }),
    z.object({ type: z.literal("enum"), values: z.array(text).max(ENUM_VALUES_MAX) }),
  ],
  { error: "give a condition with a type: range, required, regex, length or enum" },
);

const skip = z.object({ field, contains: text, reason: text });

const filter = z
  .object({
    field,
    remove_matching: text.nullish(),
    nullify_when: z
      .object({ type: z.literal("range", { error: "give range" }), below: number.nullish(), above: number.nullish() })
      .refine(({ below, above }) => typeof below === "number" || typeof above === "number", "give below or above")
      .nullish(),
  })
  .refine(({ remove_matching, nullify_when }) => (remove_matching ?? nullify_when ?? null) !== null, "give remove_matching or nullify_when");

const rule = z.object({
  name: text,
  field,
  condition,
  severity: z.enum(["error", "warning", "info"], { error: "give error, warning or info" }),
});

/** A map from data type to a list. */
function byType<T extends z.ZodType>(entry: T) {
  const lists = z.array(entry, { error: "give a list" }).max(RULES_MAX).nullish();
  const shape = Object.fromEntries(TYPES.map((type) => [type, lists])) as Record<(typeof TYPES)[number], typeof lists>;
  return z.strictObject(shape, { error: wrongMap }).nullish();
}

function wrongMap(issue: { readonly code?: string | undefined; readonly keys?: readonly string[] | undefined }): string {
  if (issue.code !== "unrecognized_keys") return `give a map with the keys ${TYPES.join(", ")}`;
  return `there is no data type ${(issue.keys ?? []).join(", ")}; known are ${TYPES.join(", ")}`;
}

export const rulesSchema = z.object(
  { skip_records: byType(skip), filters: byType(filter), rules: byType(rule) },
  { error: "give a map with skip_records, filters and rules" },
);
