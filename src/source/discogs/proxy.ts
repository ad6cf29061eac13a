import { DumpError } from "../../errors.ts";
import type { ProxySettings } from "./options.ts";

const DEFAULT_PORTS: Readonly<Record<string, string>> = { "http:": "80", "https:": "443" };

/** The proxy that a request to `url` goes through, or null for none. */
export function proxyFor(url: URL, { httpProxy, httpsProxy, noProxy }: ProxySettings): string | null {
  const proxy = url.protocol === "https:" ? httpsProxy : httpProxy;
  if (proxy === null || proxy.trim() === "" || isExempt(url, noProxy ?? "")) return null;
  return checkedProxy(proxy.trim());
}

/** `example.org` exempts that host and those below it, `example.org:8080` one port of it, `*` everything. */
function isExempt(url: URL, noProxy: string): boolean {
  const host = url.hostname.toLowerCase().replace(/^\[|\]$/g, "");
  const port = url.port || DEFAULT_PORTS[url.protocol];
  return noProxy
    .toLowerCase()
    .split(/[,\s]+/)
    .filter((entry) => entry !== "")
    .some((entry) => {
      if (entry === "*") return true;
      const [, bracketed, plain = entry, onPort] = /^(?:\[([^\]]+)\]|([^:]+))(?::(\d+))?$/.exec(entry) ?? [];
      const name = (bracketed ?? plain).replace(/^\*?\./, "");
      return (onPort === undefined || onPort === port) && (host === name || host.endsWith(`.${name}`));
    });
}

/** A proxy may be given without its scheme. Its URL may hold a password, so that no message repeats it. */
function checkedProxy(text: string): string {
  const full = /^[a-z][a-z0-9+.-]*:\/\//i.test(text) ? text : `http://${text}`;
  const url = URL.canParse(full) ? new URL(full) : null;
  if (url === null || url.hostname === "" || (url.protocol !== "http:" && url.protocol !== "https:")) {
    throw new DumpError("CONFIG_INVALID", "the proxy for downloads is not a URL like http://proxy.example:3128; correct HTTP_PROXY or HTTPS_PROXY");
  }
  return url.href;
}
