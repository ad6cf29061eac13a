import type { FaultPoint } from "./points.ts";

/** A durable step that a test can make fail; in a release nothing ever does. Tests swap this file by the import condition `deadwax-faults`. */
export function fault(_point: FaultPoint): void {}
