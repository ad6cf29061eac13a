import type { DataType } from "../model.ts";

const ID = /^(\d{8})\/([a-z]+)\/(?:\d+(?:\/deleted)?|file_complete)$/;
const FILE = /^discogs_(\d{8})_/;

/**
 * The version that a message of ours belongs to: `20260801/artists/7` is a record, `20260801/artists/7/deleted` a tombstone,
 * `20260801/artists/file_complete` the end. Null where its id is somebody else's.
 */
export function versionOf(messageId: string | null, dataType: DataType): string | null {
  const [, version, type] = ID.exec(messageId ?? "") ?? [];
  return type === dataType ? (version ?? null) : null;
}

/** The version of a dump, by its published name; null where it has another one. */
export function versionOfFile(file: string | null): string | null {
  return FILE.exec(file ?? "")?.[1] ?? null;
}
