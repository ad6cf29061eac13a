import fc from "fast-check";
import { DATA_TYPES, type DataType } from "../../src/model.ts";
import { broken } from "./arbitrary-broken.ts";
import { oddEpilog, oddGap, oddProlog, oddRecord } from "./arbitrary-odd.ts";
import { plainRecord } from "./arbitrary-records.ts";

/** A document made up for a test. */
export interface Sample {
  readonly dataType: DataType;
  readonly xml: Buffer;
}

/** How records stand in a document: between them, and before the closing root tag. */
const LAYOUTS = [
  { gap: "\n", last: "\n" },
  { gap: "\n", last: "" },
  { gap: "\r\n", last: "\r\n" },
  { gap: "\n\t", last: "\n" },
  { gap: "\n  ", last: "\n" },
  { gap: "", last: "" },
] as const;
const layout = fc.constantFrom(...LAYOUTS);
const RECORDS_MAX = 6;

/** A dump as Discogs writes it: accepted as a whole, in line form or not. */
export function wellFormedDump(dataType?: DataType): fc.Arbitrary<Sample> {
  return sample(dataType, plainDocument);
}

/** A dump that is accepted as a whole although Discogs would never write it. */
export function oddDump(dataType?: DataType): fc.Arbitrary<Sample> {
  return sample(dataType, oddDocument);
}

/** A damaged dump: rejects, a fatal end, or by chance neither. */
export function brokenDump(dataType?: DataType): fc.Arbitrary<Sample> {
  return sample(dataType, (type) =>
    broken(fc.oneof({ weight: 3, arbitrary: smallDocument(type) }, { weight: 1, arbitrary: plainDocument(type) }, { weight: 2, arbitrary: oddDocument(type) })),
  );
}

/** Any of the three. */
export function anyDump(dataType?: DataType): fc.Arbitrary<Sample> {
  return fc.oneof(wellFormedDump(dataType), oddDump(dataType), { weight: 2, arbitrary: brokenDump(dataType) });
}

function sample(dataType: DataType | undefined, document: (type: DataType) => fc.Arbitrary<string>): fc.Arbitrary<Sample> {
  const types = dataType === undefined ? fc.constantFrom(...DATA_TYPES) : fc.constant(dataType);
  return types.chain((type) => document(type).map((xml) => ({ dataType: type, xml: Buffer.from(xml, "latin1") })));
}

function plainDocument(dataType: DataType): fc.Arbitrary<string> {
  return fc.tuple(fc.array(plainRecord(dataType), { maxLength: RECORDS_MAX }), layout, fc.constantFrom("", "\n")).map(([records, { gap, last }, end]) => {
    return `<${dataType}>${records.map((record) => gap + record).join("")}${last}</${dataType}>${end}`;
  });
}

function oddDocument(dataType: DataType): fc.Arbitrary<string> {
  const record = fc.oneof({ weight: 3, arbitrary: oddRecord(dataType) }, plainRecord(dataType));
  const records = fc.array(fc.tuple(oddGap, record), { maxLength: RECORDS_MAX });
  return fc.tuple(oddProlog, records, layout, oddGap, oddEpilog).map(([prolog, pairs, { gap, last }, lastGap, epilog]) => {
    const body = pairs.map(([before, xml]) => before + gap + xml).join("");
    return `${prolog}<${dataType}>${body}${lastGap}${last}</${dataType}>${epilog}`;
  });
}

/** Records of a few tags: damage to them decides where reading resumes, and not much else happens. */
function smallDocument(dataType: DataType): fc.Arbitrary<string> {
  const name = dataType.slice(0, -1);
  const record = fc
    .nat({ max: 99 })
    .chain((id) =>
      fc.constantFrom(
        `<${name}><id>${id}</id></${name}>`,
        `<${name} id="${id}"></${name}>`,
        `<${name} id="${id}"/>`,
        `<${name}><id>${id}</id><x>t</x></${name}>`,
        `<${name}><id>${id}</id><sublabels><label id="7">A</label><label id="8">B</label></sublabels></${name}>`,
        `<${name}><id>${id}</id><sublabels>\n<label id="7">A</label>\n<label id="8">B</label>\n</sublabels></${name}>`,
        `<${name}><id>${id}</id><artists><artist><id>1</id></artist></artists></${name}>`,
      ),
    );
  return fc.tuple(fc.array(record, { minLength: 1, maxLength: RECORDS_MAX }), layout).map(([records, { gap, last }]) => {
    return `<${dataType}>${records.map((xml) => gap + xml).join("")}${last}</${dataType}>\n`;
  });
}
