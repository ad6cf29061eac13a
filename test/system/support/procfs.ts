import { readdir, readFile, readlink } from "node:fs/promises";

const CLOCK_TICKS_PER_SECOND = 100;

/** What the kernel says of a thread. */
export interface Thread {
  readonly id: number;
  readonly name: string;
  readonly state: string;
  readonly cpuSeconds: number;
}

/** The threads of a process; none once it has gone. */
export async function threadsOf(pid: number): Promise<Thread[]> {
  const ids = await readdir(`/proc/${pid}/task`).catch(() => []);
  const threads = await Promise.all(ids.map((id) => threadOf(pid, Number(id)).catch(() => null)));
  return threads.filter((thread) => thread !== null);
}

async function threadOf(pid: number, id: number): Promise<Thread> {
  const stat = await readFile(`/proc/${pid}/task/${id}/stat`, "utf8");
  const end = stat.lastIndexOf(")"); // a name may hold anything
  const fields = stat.slice(end + 2).split(" ");
  const cpuSeconds = (Number(fields[11]) + Number(fields[12])) / CLOCK_TICKS_PER_SECOND;
  return { id, name: stat.slice(stat.indexOf("(") + 1, end), state: fields[0] ?? "", cpuSeconds };
}

/** Seconds that all CPUs together had nothing to do since the machine started; waiting for a disk is nothing to do. */
export async function idleSeconds(): Promise<number> {
  const [, , , , idle, waiting] = (await readFile("/proc/stat", "utf8")).split(/\s+/);
  return (Number(idle) + Number(waiting)) / CLOCK_TICKS_PER_SECOND;
}

/** Seconds that a process's main thread was ready to run and had no CPU. */
export async function waitedSeconds(pid: number): Promise<number> {
  const [, waitedNs] = (await readFile(`/proc/${pid}/schedstat`, "utf8").catch(() => "0 0")).split(" ");
  return Number(waitedNs) / 1e9;
}

/** Resident bytes now, those of them that are no file's and not shared, and all at their highest; null once the process has gone. */
export async function residentBytes(pid: number): Promise<{ now: number; anonymous: number; peak: number } | null> {
  const status = await readFile(`/proc/${pid}/status`, "utf8").catch(() => "");
  const kib = (name: string) => Number(new RegExp(`^${name}:\\s+(\\d+) kB`, "m").exec(status)?.[1] ?? "0");
  const peak = kib("VmHWM") * 1024;
  return peak === 0 ? null : { now: kib("VmRSS") * 1024, anonymous: kib("RssAnon") * 1024, peak };
}

/** How far a process has read the open file whose path ends like this; null if it has none open. */
export async function readPosition(pid: number, suffix: string): Promise<number | null> {
  for (const fd of await readdir(`/proc/${pid}/fd`).catch(() => [])) {
    const target = await readlink(`/proc/${pid}/fd/${fd}`).catch(() => "");
    if (!target.endsWith(suffix)) continue;
    const info = await readFile(`/proc/${pid}/fdinfo/${fd}`, "utf8").catch(() => "");
    return Number(/^pos:\s+(\d+)/m.exec(info)?.[1] ?? "0");
  }
  return null;
}

/** Stops a process where it stands; resolves once every thread of it has stopped. */
export async function freeze(pid: number): Promise<void> {
  process.kill(pid, "SIGSTOP");
  for (;;) {
    const threads = await threadsOf(pid);
    if (threads.every(({ state }) => "TZX".includes(state))) return;
  }
}

/** Bytes that a process has written anywhere. */
export async function writtenBytes(pid: number): Promise<number> {
  return Number(/^wchar: (\d+)/m.exec(await readFile(`/proc/${pid}/io`, "utf8"))?.[1] ?? "0");
}
