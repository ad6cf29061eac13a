import { DATA_TYPES, type DataType } from "../../model.ts";
import type { ListedFile } from "./listing.ts";

const PASSED_OVER_MAX = 3;

/** A version of which everything is published. */
export interface ListedVersion {
  readonly version: string;
  readonly dumps: Readonly<Record<DataType, ListedFile>>;
  readonly checksum: ListedFile;
}

/** The version to take, and what is in the way of newer ones. */
export interface Choice {
  /** Null: no version is complete, which is no failure: the site may be about to publish one. */
  readonly chosen: ListedVersion | null;
  /** Newer versions, newest first, as `20260901 lacks masters and the CHECKSUM`. */
  readonly passedOver: readonly string[];
}

/** Chooses the newest version whose four dumps and CHECKSUM are listed; further files and files listed twice do no harm. */
export function chooseVersion(files: readonly ListedFile[]): Choice {
  const versions = [...new Set(files.map((file) => file.version))].sort().reverse();
  const passedOver: string[] = [];
  for (const version of versions) {
    const find = (dataType: DataType | null) => files.find((file) => file.version === version && file.dataType === dataType);
    const checksum = find(null);
    const dumps = Object.fromEntries(DATA_TYPES.map((type) => [type, find(type)])) as Record<DataType, ListedFile | undefined>;
    const missing = [...DATA_TYPES.filter((type) => dumps[type] === undefined), ...(checksum === undefined ? ["the CHECKSUM"] : [])];
    if (missing.length === 0 && checksum !== undefined) return { chosen: { version, dumps: dumps as Record<DataType, ListedFile>, checksum }, passedOver };
    if (passedOver.length < PASSED_OVER_MAX) passedOver.push(`${version} lacks ${missing.join(" and ")}`);
  }
  return { chosen: null, passedOver };
}
