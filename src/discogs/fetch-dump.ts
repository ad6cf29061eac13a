import { basename } from "node:path";
import type { ServeConfig } from "../config/serve.ts";
import { ParsePool } from "../parse/pool.ts";
import { fetchVersion, type PresentFile } from "../source/discogs/fetch-version.ts";
import type { DiscogsSite } from "../source/discogs/site.ts";
import type { ListedVersion } from "../source/discogs/versions.ts";
import { identify } from "../source/identity.ts";
import type { StateStore } from "../state/store.ts";
import type { Telemetry } from "../telemetry.ts";

/** Brings the files of a version into the root, and tells the state: what is sound there already stays, and is not hashed twice. */
export async function fetchDump(
  site: DiscogsSite,
  listed: ListedVersion,
  store: StateStore,
  config: ServeConfig,
  telemetry: Telemetry,
  signal: AbortSignal,
): Promise<readonly PresentFile[]> {
  let fetching: string | undefined;
  await store.apply({ type: "download-started", filesTotal: Object.keys(listed.dumps).length });
  try {
    const present = await fetchVersion(
      site,
      config.root,
      listed,
      {
        isGood: async (path, sha256, aborted) => {
          // What was verified by a pass over the gzip alone has no hash to compare yet.
          const known = store.verifiedSource(basename(path), await identify(path))?.sha256 ?? null;
          return (known ?? (await hash(path, config, aborted))) === sha256;
        },
        onDownload: async ({ name }) => {
          fetching = name;
          await store.apply({ type: "file-download-started", file: name });
        },
        onPresent: async ({ name, path, dataType, sha256, verified }) => {
          await store.apply({ type: "file-present", file: name, dataType, source: { ...(await identify(path)), sha256, verified } });
          fetching = undefined;
        },
        warned: (text) => telemetry.warned(text),
      },
      signal,
    );
    await store.apply({ type: "download-completed" });
    return present;
  } catch (error) {
    if (signal.aborted) throw error;
    const message = error instanceof Error ? error.message : String(error);
    // The failure of the download is the one to tell, so that one to save it is left at that.
    await store.apply({ type: "phase-failed", phase: "download", error: message, ...(fetching === undefined ? {} : { file: fetching }) }).catch(() => {});
    throw error;
  }
}

/** SHA-256 of a file that nobody has vouched for yet, on a worker thread. */
async function hash(path: string, config: ServeConfig, signal: AbortSignal): Promise<string | null> {
  await using pool = new ParsePool({ threads: 1, chunkBytes: config.chunk });
  const { inflate: backend, maxInflatedBytes: inflatedBytesMax, maxInflateRatio: inflateRatioMax } = config;
  const request = { path, sha256: true, inflate: false, backend, inflatedBytesMax, inflateRatioMax };
  return (await pool.verify(basename(path), request, () => {}, signal)).sha256;
}
