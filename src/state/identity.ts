/** Whether a file is still the one it was. */
import { type FileIdentity, sameIdentity } from "../model.ts";
import type { FileState, Marker, SourceState } from "./marker.ts";

/** What was verified about the file with this identity, whichever run did it; null if it must be verified. */
export function verifiedSource(marker: Marker, file: string, identity: FileIdentity): SourceState | null {
  for (const run of Object.values(marker.deadwax.runs)) {
    const source = run.files[file]?.source;
    if (source?.verified && sameIdentity(source, identity)) return source;
  }
  return null;
}

/**
 * Why `source` cannot be what the saved checkpoint or completion of a file was made of; null if it is, or nothing says otherwise.
 *
 * Equal hashes are equal bytes, whatever the file system says. Without hashes a checkpoint needs the very file, since resuming in
 * other bytes would skip or invent records; a completed file needs its size and the time of its last change, which copies and mounts keep.
 */
export function sourceChange(known: FileState, source: SourceState, completedChecksum: string | null): string | null {
  const before = known.source;
  const sha256 = before?.sha256 ?? completedChecksum;
  if (sha256 !== null && source.sha256 !== null) return sha256 === source.sha256 ? null : "its SHA-256 is another";
  if (before === null) return null;
  if (before.size !== source.size) return `it had ${before.size} bytes and has ${source.size}`;
  const isSame = known.checkpoint === null ? before.mtimeNs === source.mtimeNs : sameIdentity(before, source);
  if (!isSame) return "it is another file or was changed, and no SHA-256 says that its bytes are the same";
  return null;
}
