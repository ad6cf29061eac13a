import type { Flagged as Found } from "../../native/index.js";
import type { Flagged } from "../model.ts";

/** Numbers of a mark: bodies before the record, whether it is skipped, and up to it the bytes of violations and of skips, and the files. */
const MARK_NUMBERS = 5;

/** What rules have found among the first `bodies` bodies of a piece, and the records skipped before and between them. */
export function cutFlagged(found: Found, bodies: number): Flagged {
  const { marks } = found;
  let [skipped, violationBytes, skipBytes, files] = [0, 0, 0, 0];
  for (let at = 0; at < marks.length && (marks[at] ?? 0) < bodies; at += MARK_NUMBERS) {
    skipped += marks[at + 1] ?? 0;
    [violationBytes = 0, skipBytes = 0, files = 0] = marks.subarray(at + 2, at + MARK_NUMBERS);
  }
  return {
    skipped,
    violations: found.violations.subarray(0, violationBytes),
    skips: found.skips.subarray(0, skipBytes),
    files: found.files.slice(0, files),
    hits: null,
  };
}

/** What rules have found in a whole piece. */
export function wholeFlagged({ violations, skips, files, hits }: Found, skipped: number): Flagged {
  return { skipped, violations, skips, files, hits };
}
