import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { createInterface } from "node:readline";

/** Names a file's bytes: equal text means equal bytes, sizes named so that a difference says something. */
export async function fingerprint(path: string): Promise<string> {
  const hash = createHash("sha256");
  let bytes = 0;
  for await (const chunk of plainBytes(path)) {
    hash.update(chunk);
    bytes += chunk.byteLength;
  }
  return `${bytes} bytes, sha256 ${hash.digest("hex")}`;
}

/** The bytes of a file, those of a `.gz` inflated by gzip itself, which must find nothing to complain about (as `gzip -t`). */
async function* plainBytes(path: string): AsyncGenerator<Buffer> {
  if (!path.endsWith(".gz")) {
    yield* createReadStream(path, { highWaterMark: 1024 * 1024 });
    return;
  }
  const gzip = spawn("gzip", ["-dc", path], { stdio: ["ignore", "pipe", "pipe"] });
  let complaint = "";
  gzip.stderr.on("data", (text: Buffer) => {
    complaint += text.toString();
  });
  const exit = new Promise<number | null>((resolve) => gzip.on("close", resolve));
  yield* gzip.stdout;
  const code = await exit;
  if (code !== 0 || complaint !== "") throw new Error(`gzip refuses ${path} (exit ${code}): ${complaint}`);
}

/** The order-free digest of an output file, made from its bodies alone. */
export async function digestOf(path: string): Promise<{ records: number; digest: string }> {
  let sum = 0n;
  let records = 0;
  for await (const line of createInterface({ input: createReadStream(path), crlfDelay: 0 })) {
    const { id, sha256 } = JSON.parse(line) as { id: string; sha256: string };
    sum += BigInt(`0x${createHash("sha256").update(id).update(Buffer.of(0)).update(sha256).digest("hex")}`);
    records += 1;
  }
  return { records, digest: (sum % 2n ** 256n).toString(16).padStart(64, "0") };
}

/** Every file under a folder, by its path there, in order; empty where there is no folder. */
export async function filesIn(folder: string): Promise<string[]> {
  const found = await readdir(folder, { recursive: true, withFileTypes: true }).catch(() => []);
  return found
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(folder.length + 1))
    .sort();
}
