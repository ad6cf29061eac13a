import { execFileSync } from "node:child_process";
import { existsSync } from "node:fs";

/** Installs Debian packages, unless `probe` (a file one of them brings) is already there. */
export function ensureDebian(probe: string, ...packages: string[]): void {
  if (existsSync(probe)) return;
  const env = { ...process.env, DEBIAN_FRONTEND: "noninteractive" };
  const apt = (...args: string[]) => execFileSync("apt-get", ["-o", "DPkg::Lock::Timeout=300", ...args], { env, stdio: "ignore" });
  apt("update");
  apt("install", "-y", "--no-install-recommends", ...packages);
}
