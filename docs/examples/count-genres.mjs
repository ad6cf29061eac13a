// Counts the genres of a dump's releases: node docs/examples/count-genres.mjs discogs_20260801_releases.xml.gz
import { extract } from "deadwax";

const [path] = process.argv.slice(2);
const counts = new Map();
for await (const batch of extract(path, { contract: "fanout" })) {
  // Records are parsed as they are reached; `batch.body(i)` gives the exact bytes instead.
  for (const record of batch) {
    for (const genre of record.genres ?? []) counts.set(genre, (counts.get(genre) ?? 0) + 1);
  }
}
for (const [genre, count] of [...counts].sort((a, b) => b[1] - a[1])) console.log(`${count}\t${genre}`);
