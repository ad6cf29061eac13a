#!/usr/bin/env node
// What the image starts. Arguments are flags of upstream's `extractor`, unless the first one names a program of the image, as in
// `docker run IMAGE rustextractor` or `docker run IMAGE deadwax validate`. Runs in this very process, so that signals reach it.
import { fileURLToPath } from "node:url";

const PROGRAMS = ["extractor", "rustextractor", "tableinator", "deadwax"];

const [node, , ...words] = process.argv;
const program = PROGRAMS.includes(words[0]) ? words.shift() : "extractor";
process.argv = [node, fileURLToPath(new URL(program, import.meta.url)), ...words];
await import("../dist/cli.js");
