import { once } from "node:events";
import { connect } from "node:net";
import fc from "fast-check";
import { expect, it } from "vitest";
import { checkHost, guardedLookup, isPublicAddress } from "../../../src/source/discogs/addresses.ts";
import { proxyFor } from "../../../src/source/discogs/proxy.ts";

it.each([
  ...["0.0.0.0", "10.1.2.3", "100.64.0.1", "100.100.100.200", "127.0.0.1", "127.255.255.254", "168.63.129.16", "169.254.169.254", "172.16.0.1"],
  ...["172.31.255.255", "192.0.0.192", "192.168.1.1", "198.18.0.1", "224.0.0.1", "240.0.0.1", "255.255.255.255"],
  ...["::", "::1", "::7f00:1", "::ffff:127.0.0.1", "::ffff:a00:1", "64:ff9b::10.0.0.1", "64:ff9b::a9fe:a9fe", "64:ff9b::7f00:0", "64:ff9b:1::1", "100::1"],
  ...["2001::1", "2001:db8::1", "2002:7f00:1::", "fc00::1", "fd00:ec2::254", "fe80::1", "fe80::1%eth0", "fec0::1", "ff02::1", "", "localhost", "1.2.3"],
])("does not count %s as public", (address) => {
  expect(isPublicAddress(address)).toBe(false);
});

it.each([
  ...[
    "1.1.1.1",
    "9.255.255.255",
    "11.0.0.0",
    "100.63.255.255",
    "100.128.0.0",
    "104.18.0.1",
    "172.15.255.255",
    "172.32.0.0",
    "192.167.255.255",
    "223.255.255.255",
  ],
  ...["2606:4700::6810:1", "2a00:1450:4001::1", "::ffff:1.1.1.1", "64:ff9b::1.1.1.1", "64:ff9b::808:808"],
])("counts %s as public", (address) => {
  expect(isPublicAddress(address)).toBe(true);
});

it("judges an IPv4 address the same in its three forms", () => {
  fc.assert(
    fc.property(fc.ipV4(), (address) => {
      const hex = address.split(".").map((part) => Number(part).toString(16).padStart(2, "0"));
      const public4 = isPublicAddress(address);
      expect(isPublicAddress(`::ffff:${address}`)).toBe(public4);
      expect(isPublicAddress(`64:ff9b::${address}`)).toBe(public4);
      expect(isPublicAddress(`0:0:0:0:0:FFFF:${hex[0]}${hex[1]}:${hex[2]}${hex[3]}`)).toBe(public4);
    }),
  );
});

it.each(["http://127.1/", "http://2130706433/", "http://0x7f.0.0.1/", "http://[::1]/", "http://[::ffff:10.0.0.1]/", "http://169.254.169.254/latest"])(
  "refuses %s however it is written",
  (url) => {
    expect(() => checkHost(new URL(url))).toThrow(/not of the public Internet/);
  },
);

it("lets names and public addresses pass until they are looked up", () => {
  expect(() => checkHost(new URL("https://data.discogs.com/"))).not.toThrow();
  expect(() => checkHost(new URL("https://1.1.1.1/"))).not.toThrow();
});

it.each([
  ["one private address", ["10.0.0.1"]],
  ["a private one among public ones", ["1.1.1.1", "::1"]],
])("does not connect to a name with %s", async (_, addresses) => {
  const lookup = guardedLookup(async () => addresses.map((address) => ({ address, family: address.includes(":") ? 6 : 4 })));
  const [error] = (await once(connect({ host: "dumps.test", port: 9, lookup }), "error").catch((thrown) => [thrown])) as [Error];
  expect(error).toMatchObject({ code: "SOURCE_UNAVAILABLE", message: expect.stringContaining("dumps.test leads to") });
});

it("hands the socket the very addresses that it looked at, looking once", async () => {
  const found = [
    { address: "1.1.1.1", family: 4 },
    { address: "2606:4700::1", family: 6 },
  ];
  const asked: unknown[] = [];
  const lookup = guardedLookup(async (hostname, options) => {
    asked.push([hostname, options]);
    return found;
  });
  const all = await new Promise((resolve) => lookup("a.test", { all: true, family: 0 }, (error, addresses) => resolve([error, addresses])));
  expect(all).toEqual([null, found]);
  const one = await new Promise((resolve) => lookup("a.test", { hints: 32 }, (error, address, family) => resolve([error, address, family])));
  expect(one).toEqual([null, "1.1.1.1", 4]);
  expect(asked).toEqual([
    ["a.test", { family: 0 }],
    ["a.test", { hints: 32 }],
  ]);
  const none = await new Promise((resolve) => guardedLookup(async () => [])("a.test", {}, resolve));
  expect(String(none)).toContain("a.test has no address");
});

it.each([
  ["https://a.test/", { httpsProxy: "http://p:1" }, "http://p:1/"],
  ["https://a.test/", { httpProxy: "http://p:1" }, null],
  ["http://a.test/", { httpProxy: "p:3128" }, "http://p:3128/"],
  ["http://a.test/", { httpProxy: "" }, null],
  ["http://a.test/", { httpProxy: "p:1", noProxy: "*" }, null],
  ["http://a.test/", { httpProxy: "p:1", noProxy: "x.test, a.test" }, null],
  ["http://b.a.test/", { httpProxy: "p:1", noProxy: ".a.test" }, null],
  ["http://ba.test/", { httpProxy: "p:1", noProxy: "a.test" }, "http://p:1/"],
  ["http://a.test:81/", { httpProxy: "p:1", noProxy: "a.test:80" }, "http://p:1/"],
  ["http://a.test/", { httpProxy: "p:1", noProxy: "a.test:80" }, null],
  ["http://[2a00::1]/", { httpProxy: "p:1", noProxy: "[2a00::1]" }, null],
])("sends %s with %j through %s", (url, settings, proxy) => {
  expect(proxyFor(new URL(url), { httpProxy: null, httpsProxy: null, noProxy: null, ...settings })).toBe(proxy);
});

it("refuses a proxy that is none, without repeating it", () => {
  const settings = { httpProxy: "socks5://me:secret@p:1", httpsProxy: null, noProxy: null };
  expect(() => proxyFor(new URL("http://a.test/"), settings)).toThrow(/HTTP_PROXY/);
  expect(() => proxyFor(new URL("http://a.test/"), settings)).not.toThrow(/secret/);
});
