import { statSync } from "node:fs";
import { join } from "node:path";

/** The log file that a path means: in a folder it has a name of its own. */
export function logFileOf(path: string, name: string): string {
  const isFolder = path.endsWith("/") || statSync(path, { throwIfNoEntry: false })?.isDirectory() === true;
  return isFolder ? join(path, name) : path;
}
