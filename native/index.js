import { createRequire } from "node:module";

const addon = createRequire(import.meta.url)("./deadwax.node");

export const {
  openSource,
  pullPiece,
  stopSource,
  sourceIdentity,
  closeSource,
  sourceMemory,
  openVerify,
  verifyStep,
  closeVerify,
  lockFile,
  unlockFile,
  splitRecords,
  parseRecords,
  bodyKeys,
  copyRows,
  compileRules,
  closeRules,
  sha256,
  xxh3_64,
  xxh3_128,
  buildInfo,
  generate,
} = addon;
