/** The command line of the benches that have a folder of their own: counts, each with a smaller one for `--quick`, and where to keep the figures. */

import { parseArgs } from "node:util";

/** How many there are if nothing is said. */
interface Count {
  readonly usual: number;
  readonly quick: number;
}

/** What was given of a bench's counts, and the file of `--json`; null if help was asked for, which is then printed. */
export function benchOptions<Name extends string>(usage: string, counts: Readonly<Record<Name, Count>>): (Record<Name, number> & { json?: string }) | null {
  const names = Object.keys(counts) as Name[];
  const { values } = parseArgs({
    options: {
      help: { type: "boolean", short: "h", default: false },
      quick: { type: "boolean", default: false },
      json: { type: "string" },
      ...Object.fromEntries(names.map((name) => [name, { type: "string" as const }])),
    },
  });
  if (values.help) {
    console.log(usage);
    return null;
  }
  const given: Readonly<Record<string, string | boolean | undefined>> = values;
  const chosen = Object.fromEntries(
    names.map((name) => {
      const count = Number(given[name] ?? counts[name][values.quick ? "quick" : "usual"]);
      if (!Number.isSafeInteger(count) || count <= 0) throw new Error(`give whole numbers\n${usage}`);
      return [name, count];
    }),
  ) as Record<Name, number>;
  return { ...chosen, ...(values.json === undefined ? {} : { json: values.json }) };
}
