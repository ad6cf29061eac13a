/** `npm run bench`: measures, prints, and leaves the figures in bench/results.json. */

import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { DATA_TYPES } from "deadwax";
import { scaled } from "./dumps.ts";
import { BENCH_FOLDER, FULL_RUN, type MeasureOptions, measure, QUICK_RUN } from "./measure.ts";
import { ROOT } from "./programs.ts";
import { render } from "./table.ts";

const USAGE = `usage: npm run bench -- [options]
  --quick           a few seconds on small dumps, one round: for whether the results are right, not for speeds
  --rounds <N>      how often each program runs (default: 3, quick: 1)
  --scale <FACTOR>  dumps so many times as large (default: 1)
  --type <TYPE>     only this data type; may be given again
  --folder <DIR>    where dumps and outputs go; removed afterwards (default: target/bench)
  --no-parts        leave out the parts
  --no-reference    leave out the Rust reference
  --no-peers        leave out the JavaScript peers`;

function readOptions(): MeasureOptions | null {
  const { values } = parseArgs({
    allowNegative: true,
    options: {
      help: { type: "boolean", short: "h", default: false },
      quick: { type: "boolean", default: false },
      rounds: { type: "string" },
      scale: { type: "string", default: "1" },
      type: { type: "string", multiple: true, default: [...DATA_TYPES] },
      folder: { type: "string", default: BENCH_FOLDER },
      parts: { type: "boolean", default: true },
      reference: { type: "boolean", default: true },
      peers: { type: "boolean", default: true },
    },
  });
  if (values.help) return null;
  const preset = values.quick ? QUICK_RUN : FULL_RUN;
  const types = DATA_TYPES.filter((type) => values.type.includes(type));
  if (types.length !== new Set(values.type).size) throw new Error(`--type: give one of ${DATA_TYPES.join(", ")}`);
  const rounds = Number(values.rounds ?? preset.rounds);
  if (!Number.isInteger(rounds) || rounds < 1) throw new Error(`--rounds ${values.rounds}: give a whole number from 1`);
  const scale = Number(values.scale);
  if (!(scale > 0)) throw new Error(`--scale ${values.scale}: give a number above 0`);
  return {
    ...preset,
    folder: values.folder,
    types,
    rounds,
    sizes: scaled(preset.sizes, scale),
    partTimeMs: values.parts ? preset.partTimeMs : 0,
    withReference: values.reference,
    withPeers: values.peers,
    log: (line) => process.stderr.write(`${line}\n`),
  };
}

try {
  const options = readOptions();
  if (options === null) {
    console.log(USAGE);
  } else {
    const results = await measure(options);
    const path = join(ROOT, "bench/results.json");
    writeFileSync(path, `${JSON.stringify(results, null, 2)}\n`);
    console.log(`${render(results)}\n\nAll results were right. Figures: ${path}`);
  }
} catch (error) {
  console.error(`bench: ${error instanceof Error ? error.message : String(error)}`);
  process.exitCode = 1;
}
