import { FAULT_POINTS, type FaultPoint } from "./points.ts";

const ACTIONS = ["kill", "stop", "throw", "delay"] as const;
const DELAY_MS = 250;

/** `FAULT_PLAN` in the environment: `<point> <action> <number of the passage that it strikes, from 1>`, separated by commas. */
const PLAN = (process.env["FAULT_PLAN"] ?? "").split(",").filter(Boolean).map(parse);
const passages = new Map<FaultPoint, number>();

/** Does at this point what the plan says. */
export function fault(point: FaultPoint): void {
  const passage = (passages.get(point) ?? 0) + 1;
  passages.set(point, passage);
  for (const { action } of PLAN.filter((entry) => entry.point === point && entry.passage === passage)) {
    process.stderr.write(`FAULT ${point} ${action} ${passage}\n`);
    if (action === "kill") process.kill(process.pid, "SIGKILL");
    if (action === "stop") process.kill(process.pid, "SIGSTOP");
    if (action === "throw") throw new Error(`fault at ${point}`);
    if (action === "delay") Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, DELAY_MS);
  }
}

function parse(text: string): { point: FaultPoint; action: (typeof ACTIONS)[number]; passage: number } {
  const [name, verb, number] = text.trim().split(/\s+/);
  const point = FAULT_POINTS.find((known) => known === name);
  const action = ACTIONS.find((known) => known === verb);
  const passage = Number(number);
  if (point === undefined || action === undefined || !Number.isSafeInteger(passage)) throw new Error(`FAULT_PLAN: ${text} is not understood`);
  return { point, action, passage };
}
