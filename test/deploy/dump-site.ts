import { createReadStream } from "node:fs";
import { readdir } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";

/** A site that lists and serves the dumps of a folder as data.discogs.com does. */
export interface DumpSite extends AsyncDisposable {
  /** Its first page: `http://127.0.0.1:PORT/`. */
  readonly url: string;
  /** The names that were downloaded, in order. */
  readonly downloads: readonly string[];
}

const PUBLISHED = /^discogs_(\d{4})\d{4}_(\w+\.xml\.gz|CHECKSUM\.txt)$/;

/** Serves the published files of `folder` on a free port of this machine. */
export async function serveDumps(folder: string): Promise<DumpSite> {
  const downloads: string[] = [];
  const server = createServer(async (request, response) => {
    const query = new URL(request.url ?? "/", "http://site").searchParams;
    const names = (await readdir(folder)).filter((name) => PUBLISHED.test(name));
    const [prefix, key] = [query.get("prefix"), query.get("download")];
    const name = names.find((candidate) => keyOf(candidate) === key);
    const page = (links: readonly string[]) =>
      response.setHeader("content-type", "text/html").end(links.map((link) => `<a href="?${link}">dump</a>\n`).join(""));
    if (name !== undefined) {
      downloads.push(name);
      createReadStream(join(folder, name)).pipe(response);
    } else if (prefix !== null) {
      page(
        names
          .map(keyOf)
          .filter((candidate) => candidate.startsWith(prefix))
          .map((candidate) => `download=${encodeURIComponent(candidate)}`),
      );
    } else if (key === null) {
      const years = new Set(names.map((candidate) => PUBLISHED.exec(candidate)?.[1]));
      page([...years].map((year) => `prefix=${encodeURIComponent(`data/${year}/`)}`));
    } else response.writeHead(404).end();
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}/`,
    downloads,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

function keyOf(name: string): string {
  return `data/${PUBLISHED.exec(name)?.[1]}/${name}`;
}
