import { DumpError } from "../../errors.ts";
import type { Answer } from "./client.ts";
import { describeUrl, networkFault, TransientFault } from "./faults.ts";
import type { SiteEnvironment, SiteOptions } from "./options.ts";

/** Bounds of a body. */
export type BodyLimits = Pick<SiteOptions, "slowestBytesPerSecond" | "speedWindowMs">;

/**
 * The bytes of an answer as they come. Fails if they come too slowly: only time spent waiting for them counts, so that a slow disk
 * on this side is not taken for a slow site.
 */
export async function* readBody(answer: Answer, limits: BodyLimits, environment: SiteEnvironment, signal: AbortSignal): AsyncGenerator<Uint8Array> {
  const { slowestBytesPerSecond, speedWindowMs } = limits;
  const chunks = answer.body[Symbol.asyncIterator]() as AsyncIterator<Uint8Array>;
  let waitedMs = 0;
  let bytes = 0;
  try {
    for (;;) {
      const asked = environment.now();
      const next = await chunks.next();
      if (next.done === true) return;
      waitedMs += environment.now() - asked;
      bytes += next.value.byteLength;
      if (waitedMs >= speedWindowMs) {
        const speed = Math.floor((bytes / waitedMs) * 1000);
        if (speed < slowestBytesPerSecond) {
          throw new TransientFault(`${describeUrl(answer.url)}: sends ${speed} bytes a second, less than the ${slowestBytesPerSecond} it must`);
        }
        waitedMs = 0;
        bytes = 0;
      }
      yield next.value;
    }
  } catch (error) {
    throw networkFault(error, answer.url, signal);
  } finally {
    answer.body.destroy();
  }
}

/** The whole of a small body as text; one of more than `bytesMax` bytes is not what was asked for. */
export async function readText(answer: Answer, bytesMax: number, limits: BodyLimits, environment: SiteEnvironment, signal: AbortSignal): Promise<string> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of readBody(answer, limits, environment, signal)) {
    bytes += chunk.byteLength;
    if (bytes > bytesMax) {
      throw new DumpError(
        "SOURCE_UNAVAILABLE",
        `${describeUrl(answer.url)}: sends more than the ${bytesMax} bytes that such a page may have; look at it in a browser`,
      );
    }
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString("utf8");
}
