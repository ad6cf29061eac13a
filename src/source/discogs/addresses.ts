import { BlockList, isIP, isIPv6, type LookupFunction } from "node:net";
import { DumpError } from "../../errors.ts";
import type { Resolve } from "./options.ts";

/** Networks that are not the public Internet: private, local, shared, of documentation, for tunnels, and where clouds keep secrets. */
const PRIVATE_V4 = [
  ["0.0.0.0", 8],
  ["10.0.0.0", 8],
  ["100.64.0.0", 10], // carrier-grade NAT; a cloud's metadata too
  ["127.0.0.0", 8],
  ["168.63.129.16", 32], // a cloud's host agent, on a public address
  ["169.254.0.0", 16], // link-local; metadata of most clouds
  ["172.16.0.0", 12],
  ["192.0.0.0", 24],
  ["192.0.2.0", 24],
  ["192.88.99.0", 24],
  ["192.168.0.0", 16],
  ["198.18.0.0", 15],
  ["198.51.100.0", 24],
  ["203.0.113.0", 24],
  ["224.0.0.0", 3], // multicast, reserved and broadcast
] as const;
const PRIVATE_V6 = [
  ["::", 96], // unspecified, loopback, and IPv4 in its oldest disguise
  ["64:ff9b:1::", 48],
  ["100::", 64],
  ["2001::", 23], // Teredo and other special purposes
  ["2001:db8::", 32],
  ["2002::", 16], // 6to4
  ["3fff::", 20],
  ["5f00::", 16],
  ["fc00::", 7],
  ["fe80::", 10],
  ["fec0::", 10],
  ["ff00::", 8],
] as const;
/** IPv4 as IPv6-only networks see it: the last 32 bits are the address that is meant. */
const NAT64 = /^64:ff9b::(?:([0-9a-f]{1,4}):)?([0-9a-f]{1,4})?$/;

const privateNetworks = new BlockList();
for (const [network, prefix] of PRIVATE_V4) privateNetworks.addSubnet(network, prefix, "ipv4");
for (const [network, prefix] of PRIVATE_V6) privateNetworks.addSubnet(network, prefix, "ipv6");

/** Whether an IP address belongs to the public Internet; what is no address does not. An IPv4 address within IPv6 counts as itself. */
export function isPublicAddress(address: string): boolean {
  const version = isIP(address);
  if (version === 0) return false;
  if (version === 4) return !privateNetworks.check(address, "ipv4");
  const nat64 = NAT64.exec(normaliseV6(address));
  if (nat64 !== null) return isPublicAddress(dotted(Number.parseInt(nat64[1] ?? "0", 16), Number.parseInt(nat64[2] ?? "0", 16)));
  return !privateNetworks.check(address, "ipv6"); // finds ::ffff:10.0.0.1 among the IPv4 networks
}

/** Refuses a host that is written as an address and is not public; names are checked when they are looked up. */
export function checkHost(url: URL): void {
  const host = url.hostname.replace(/^\[|\]$/g, "");
  if (isIP(host) !== 0 && !isPublicAddress(host)) throw refused(host, host);
}

/** A `lookup` for sockets that hands out checked addresses only: what is connected to is what was looked at, so a name cannot change in between. */
export function guardedLookup(resolve: Resolve): LookupFunction {
  return (hostname, options, callback) => {
    const { family, hints } = options;
    const wanted = { ...(family === undefined ? {} : { family }), ...(hints === undefined ? {} : { hints }) };
    const looking = resolve(hostname, wanted).then((addresses) => {
      const bad = addresses.find(({ address }) => !isPublicAddress(address));
      const [first] = addresses;
      if (first === undefined) throw new Error(`${hostname} has no address`);
      if (bad !== undefined) throw refused(hostname, bad.address);
      return { addresses, first };
    });
    looking.then(
      ({ addresses, first }) => (options.all === true ? callback(null, addresses) : callback(null, first.address, first.family)),
      (error: NodeJS.ErrnoException) => callback(error, options.all === true ? [] : "", 0),
    );
  };
}

function refused(host: string, address: string): DumpError {
  const what = host === address ? `the address ${address}` : `${host} leads to ${address}, which`;
  return new DumpError("SOURCE_UNAVAILABLE", `${what} is not of the public Internet; allow private addresses if the dumps really come from there`);
}

/** Lower case and shortened, as the URL parser writes it; without a zone. */
function normaliseV6(address: string): string {
  const plain = address.replace(/%.*$/, "");
  return isIPv6(plain) ? new URL(`http://[${plain}]/`).hostname.slice(1, -1) : plain;
}

function dotted(high: number, low: number): string {
  return [high >> 8, high & 255, low >> 8, low & 255].join(".");
}
