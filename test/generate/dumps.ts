import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { type GenerateOptions, generate } from "../../native/index.js";

/** Writes synthetic dumps and returns the manifest as parsed JSON. */
export async function makeDumps(options: GenerateOptions): Promise<unknown> {
  const addon: typeof generate | undefined = generate;
  if (addon !== undefined) return JSON.parse(await addon(options));
  // Until the addon has the function: the crate's example program, as `cargo build --release --example generate` leaves it.
  const target = process.env.CARGO_TARGET_DIR ?? join(import.meta.dirname, "../../native/target");
  const parameters = Object.entries(options).flatMap(([name, value]) => [`--${name}`, String(value)]);
  return JSON.parse(execFileSync(join(target, "release/examples/generate"), parameters, { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] }));
}
