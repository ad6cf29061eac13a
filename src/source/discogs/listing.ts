import type { DataType } from "../../model.ts";
import { readPublishedName } from "./published-name.ts";

const YEAR_LINK = /href="\?prefix=data%2F(\d{4})%2F"/g;
const FILE_LINK = /\?download=data%2F\d{4}%2F(discogs_\d{8}_[^"]+)/g;
/** The newest dumps are in these many year folders, also in January. */
const YEARS_READ = 2;

/** One file as the site lists it. */
export interface ListedFile {
  readonly name: string;
  readonly version: string;
  /** Null: the CHECKSUM file. */
  readonly dataType: DataType | null;
  /** How the site calls it: `data/<year>/<name>`. */
  readonly key: string;
}

/** What a year's page says. */
export interface ListedYear {
  readonly files: readonly ListedFile[];
  /** Links to something else than the files of a dump, as they stand on the page. */
  readonly ignored: readonly string[];
}

/** The years to look into, newest first; a page may link a year more than once. */
export function readYears(page: string): string[] {
  const years = new Set(Array.from(page.matchAll(YEAR_LINK), ([, year = ""]) => year));
  return [...years].sort().reverse().slice(0, YEARS_READ);
}

/** The files that a year's page links, each once. */
export function readFiles(page: string, year: string): ListedYear {
  const files = new Map<string, ListedFile>();
  const ignored = new Set<string>();
  for (const [, link = ""] of page.matchAll(FILE_LINK)) {
    const name = decode(link);
    const published = readPublishedName(name);
    if (published === null) ignored.add(link);
    else files.set(name, { name, ...published, key: `data/${year}/${name}` });
  }
  return { files: [...files.values()], ignored: [...ignored] };
}

/** The files of several pages, each once; a page that comes first wins. */
export function mergeFiles(years: readonly ListedYear[]): ListedFile[] {
  const files = new Map<string, ListedFile>();
  for (const file of years.flatMap((year) => year.files)) if (!files.has(file.name)) files.set(file.name, file);
  return [...files.values()];
}

function decode(link: string): string {
  try {
    return decodeURIComponent(link);
  } catch {
    return link; // not percent-encoded text, so not a name either
  }
}
