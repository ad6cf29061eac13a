import { describe, expect, test } from "vitest";
import { CONTRACTS } from "../../src/model.ts";
import { fixtures } from "./fixtures.ts";
import { readXml } from "./outcome.ts";

describe.each(CONTRACTS)("oracle on the fixtures, %s", (contract) => {
  test.each(fixtures())("$dataType/$idea", ({ dataType, xml, expected }) => {
    const read = readXml(xml, dataType, contract);
    expect({
      outcome: read.outcome,
      bodies: read.bodies.map(String),
      empty: read.empty,
      rejects: read.rejects.map(({ offset, kind }) => ({ offset, kind })),
    }).toEqual(expected[contract]);
  });
});
