import type { DataType } from "../model.ts";

const ID = /^(\d{8})\/([a-z]+)\/\d+$/;

/** The version that a message of ours belongs to, `20260801/artists/7`; null where its id is somebody else's. */
export function versionOf(messageId: string | null, dataType: DataType): string | null {
  const [, version, type] = ID.exec(messageId ?? "") ?? [];
  return type === dataType ? (version ?? null) : null;
}
