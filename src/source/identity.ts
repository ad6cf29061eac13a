import { stat } from "node:fs/promises";
import type { FileIdentity } from "../model.ts";
import { unreadable } from "./unreadable.ts";

/** The identity of a file as it is now. */
export async function identify(path: string): Promise<FileIdentity> {
  const found = await stat(path, { bigint: true }).catch((cause: unknown) => {
    throw unreadable(path, cause);
  });
  return {
    device: String(found.dev),
    inode: String(found.ino),
    size: Number(found.size),
    mtimeNs: String(found.mtimeNs),
    ctimeNs: String(found.ctimeNs),
  };
}
