import { gzipSync } from "node:zlib";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { CONTRACTS } from "../../src/model.ts";
import { brokenDump, oddDump, wellFormedDump } from "./arbitrary.ts";
import { readDump, readXml } from "./outcome.ts";

const RUNS = { numRuns: 300 };

describe("the oracle on documents made up", () => {
  test.each(CONTRACTS)("%s: well-formed ones are accepted", (contract) => {
    fc.assert(
      fc.property(wellFormedDump(), ({ dataType, xml }) => {
        const read = readXml(xml, dataType, contract);
        expect(read).toMatchObject({ outcome: "ok", rejects: [] });
        for (const body of read.bodies) expect(JSON.parse(body.toString())).toMatchObject({ type: "data" });
      }),
      RUNS,
    );
  });

  test.each(CONTRACTS)("%s: odd ones are accepted", (contract) => {
    fc.assert(
      fc.property(oddDump(), ({ dataType, xml }) => {
        const read = readXml(xml, dataType, contract);
        expect(read, xml.toString("latin1")).toMatchObject({ outcome: "ok", rejects: [] });
        for (const body of read.bodies) expect(() => JSON.parse(body.toString())).not.toThrow();
      }),
      RUNS,
    );
  });

  test("broken ones end the same way in both contracts", () => {
    fc.assert(
      fc.property(brokenDump(), ({ dataType, xml }) => {
        const [topic, fanout] = CONTRACTS.map((contract) => readXml(xml, dataType, contract));
        expect(topic?.outcome).toBe(fanout?.outcome);
        expect(topic?.rejects).toEqual(fanout?.rejects);
        expect(topic?.fatal).toEqual(fanout?.fatal);
      }),
      RUNS,
    );
  });

  test("gzip in any number of members is the same document; cut anywhere it is fatal or complete", () => {
    fc.assert(
      fc.property(wellFormedDump(), fc.array(fc.nat(), { maxLength: 3 }), fc.nat(), ({ dataType, xml }, cuts, end) => {
        const bounds = [0, ...cuts.map((cut) => cut % (xml.length + 1)).sort((a, b) => a - b), xml.length];
        const members = bounds.slice(1).map((bound, index) => gzipSync(xml.subarray(bounds[index], bound)));
        const file = Buffer.concat(members);
        const whole = readDump(file, dataType, "topic");
        expect(whole).toEqual(readXml(xml, dataType, "topic"));
        // A cut between members is only harmless where nothing but white space is lost.
        const cut = readDump(file.subarray(0, end % file.length), dataType, "topic");
        if (cut.outcome !== "fatal") expect(cut).toEqual(whole);
        expect(readDump(Buffer.concat([file, Buffer.alloc(1)]), dataType, "topic").outcome).toBe("fatal");
      }),
      RUNS,
    );
  });
});
