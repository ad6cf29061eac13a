import type { Program } from "./programs.ts";
import { DEADWAX, equal, GZIP, REFERENCE_NAME } from "./programs.ts";
import type { Row, Sample, Series, Speed, Spread } from "./results.ts";
import { peak, rates, ratio, spread } from "./statistics.ts";

/**
 * Runs all programs once a round, every second round in reverse order, so that none always comes first. All outputs of one dump and
 * contract must hold the same records; `digests` keeps what they held so far.
 */
export async function runRounds(programs: readonly Program[], rounds: number, digests: Map<string, string>, log: (line: string) => void): Promise<Series[]> {
  const samples = new Map<Program, Sample[]>(programs.map((program) => [program, []]));
  for (let round = 0; round < rounds; round += 1) {
    for (const program of round % 2 === 0 ? programs : programs.toReversed()) {
      const { name, contract, dump } = program;
      const { sample, contents } = await program.run();
      samples.get(program)?.push(sample);
      log(`round ${round + 1}, ${dump.type} ${contract}, ${name}: ${(dump.xmlBytes / 1e6 / sample.wallSeconds).toFixed(0)} MB/s`);
      if (contents === null) continue;
      const output = `${dump.file} ${contract}`;
      const digest = digests.get(output) ?? contents.digest;
      digests.set(output, digest);
      equal(`${name}, ${dump.type} ${contract}: digest, against the other programs`, contents.digest, digest);
      equal(`${name}, ${dump.type} ${contract}: records, against the manifest`, contents.records, dump.records);
    }
  }
  return programs.map((program) => {
    const { name, contract, dump } = program;
    return { program: name, type: dump.type, contract, records: dump.records, xmlBytes: dump.xmlBytes, samples: samples.get(program) ?? [] };
  });
}

/** A series in figures. */
export function toSpeed(series: Series): Speed {
  const { program, type, contract, records, xmlBytes, samples } = series;
  return {
    program,
    type,
    contract,
    records,
    xmlBytes,
    megabytesPerSecond: spread(rates(series, "wallSeconds").map((rate) => rate / 1e6)),
    megabytesPerCpuSecond: spread(rates(series, "cpuSeconds").map((rate) => rate / 1e6)),
    recordsPerSecond: spread(rates(series, "wallSeconds").map((rate) => (rate * records) / xmlBytes)),
    peakRssBytes: peak(samples.map((sample) => sample.peakRssBytes)),
    nativePeakBytes: peak(samples.map((sample) => sample.nativePeakBytes)),
  };
}

/** See `waited` of the results. */
export function waitedOf(series: readonly Series[]): Spread | null {
  const samples = series.filter((one) => one.program === GZIP).flatMap((one) => one.samples);
  return samples.length === 0 ? null : spread(samples.map(({ wallSeconds, cpuSeconds }) => Math.max(0, 1 - cpuSeconds / wallSeconds)));
}

/** The rows of one data type: deadwax in both contracts against everything that ran in the same rounds. */
export function toRows(series: readonly Series[]): Row[] {
  const of = (program: string, contract: Series["contract"]) => series.find((one) => one.program === program && one.contract === contract);
  const others = series.filter((one) => one.program !== DEADWAX && one.program !== REFERENCE_NAME && one.program !== GZIP);
  const median = (one: Series) => spread(rates(one, "wallSeconds")).median;
  const fastest = others.toSorted((a, b) => median(b) - median(a))[0];
  return series
    .filter((one) => one.program === DEADWAX)
    .map((one) => {
      const reference = of(REFERENCE_NAME, one.contract);
      const gzip = of(GZIP, "topic");
      const topic = one.contract === "fanout" ? of(DEADWAX, "topic") : undefined;
      const against = (other: Series | undefined, clock: "wallSeconds" | "cpuSeconds" = "wallSeconds") =>
        other === undefined ? null : ratio(one, other, clock);
      return {
        ...toSpeed(one),
        toReferencePerCpuSecond: against(reference, "cpuSeconds"),
        toReference: against(reference),
        fastestJavaScript: fastest?.program ?? null,
        toFastestJavaScript: against(fastest),
        toGzip: against(gzip),
        toTopic: against(topic),
      };
    });
}
