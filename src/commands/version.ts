import { readFile } from "node:fs/promises";
import type { CommandContext } from "./context.ts";
import { EXIT_CODES } from "./exit-codes.ts";

/** The version of the package. */
export async function productVersion(): Promise<string> {
  const { version }: { version: string } = JSON.parse(await readFile(new URL("../../package.json", import.meta.url), "utf8"));
  return version;
}

/** `deadwax --version`; verbose: also what the native core was built from and found in this CPU. */
export async function runVersion({ verbose = false }: { verbose?: boolean }, { stdout }: CommandContext): Promise<number> {
  const version = await productVersion();
  if (!verbose) {
    stdout.write(`${version}\n`);
    return EXIT_CODES.done.exit;
  }
  // Loaded late, so that everything else here works where the addon does not.
  const { buildInfo } = await import("../../native/index.js");
  const build = buildInfo();
  const lines = [
    `deadwax ${version}`,
    `native core ${build.version} for ${build.target}`,
    `inflate: ${build.inflate.map((backend) => `${backend.name} ${backend.version}`).join(", ")}`,
    `CPU features: ${build.cpuFeatures.join(" ") || "none known"}`,
    `Node.js ${process.versions.node}`,
  ];
  stdout.write(`${lines.join("\n")}\n`);
  return EXIT_CODES.done.exit;
}
