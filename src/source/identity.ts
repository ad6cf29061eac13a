import { stat } from "node:fs/promises";
import { unreadable } from "./unreadable.ts";

/** Tells whether a path still leads to the very bytes that were seen before; text where numbers may exceed 2^53. */
export interface FileIdentity {
  readonly device: string;
  readonly inode: string;
  readonly size: number;
  readonly mtimeNs: string;
  readonly ctimeNs: string;
}

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

/** Whether nothing about two identities differs. */
export function sameIdentity(a: FileIdentity, b: FileIdentity): boolean {
  return a.device === b.device && a.inode === b.inode && a.size === b.size && a.mtimeNs === b.mtimeNs && a.ctimeNs === b.ctimeNs;
}
