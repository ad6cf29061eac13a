import { mkdir, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { readRulesFile } from "../../src/config/rules-file.ts";
import { DumpError } from "../../src/errors.ts";

let folder: string;
let files = 0;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "deadwax-rules-file-"));
});
afterAll(() => rm(folder, { recursive: true }));

async function fileOf(text: string | Uint8Array, name = `rules-${files++}.yaml`): Promise<string> {
  const path = join(folder, name);
  await writeFile(path, text);
  return path;
}

async function read(text: string) {
  return readRulesFile(await fileOf(text));
}

/** What is said of a bad file, without the path in front. */
async function problemsOf(path: string): Promise<string> {
  try {
    await readRulesFile(path);
  } catch (error) {
    if (!(error instanceof DumpError) || error.code !== "CONFIG_INVALID") throw error;
    const front = `data quality rules ${path}: `;
    expect(error.message.startsWith(front), error.message).toBe(true);
    expect(error.message).not.toContain("\n");
    return error.message.slice(front.length);
  }
  throw new Error("nothing was wrong");
}

const RULE = "{name: n, field: f, condition: {type: required}, severity: info}";

describe("a rules file", () => {
  it("is taken whole, every kind of rule and condition", async () => {
    const { rules, canonical, digest } = await read(`
skip_records: { artists: [ {field: profile, contains: "DO NOT USE", reason: "junk"} ] }
filters:
  releases:
    - {field: genres.genre, remove_matching: "^\\\\d+$", reason: "numbers"}
    - {field: released, nullify_when: {type: range, below: 1860, above: 2027.5}, reason: "years"}
    - {field: both, remove_matching: x, nullify_when: {type: range, above: 0}}
rules:
  releases:
    - {name: a, description: "d", field: a, condition: {type: range, min: -1, max: 1e3}, severity: error}
    - {name: b, field: b, condition: {type: required}, severity: warning}
    - {name: c, field: c, condition: {pattern: "!!", type: regex}, severity: info}
    - {name: d, field: d, condition: {max: 3, type: length, min: 0}, severity: info}
    - {name: e, field: e, condition: {type: enum, values: [x, "1"]}, severity: info}
`);
    expect(rules).toEqual({
      skip_records: { artists: [{ field: "profile", contains: "DO NOT USE", reason: "junk" }] },
      filters: {
        releases: [
          { field: "genres.genre", remove_matching: "^\\d+$" },
          { field: "released", nullify_when: { below: 1860, above: 2027.5 } },
          { field: "both", remove_matching: "x" },
          { field: "both", nullify_when: { above: 0 } },
        ],
      },
      rules: {
        releases: [
          { name: "a", field: "a", condition: { type: "range", min: -1, max: 1000 }, severity: "error" },
          { name: "b", field: "b", condition: { type: "required" }, severity: "warning" },
          { name: "c", field: "c", condition: { type: "regex", pattern: "!!" }, severity: "info" },
          { name: "d", field: "d", condition: { type: "length", max: 3, min: 0 }, severity: "info" },
          { name: "e", field: "e", condition: { type: "enum", values: ["x", "1"] }, severity: "info" },
        ],
      },
    });
    expect(JSON.parse(canonical)).toEqual(rules);
    expect(digest).toMatch(/^[0-9a-f]{64}$/);
  });

  it.each(["", "# nothing\n", "{}", "rules:", "rules: {releases: }", "skip_records: {labels: []}", "version: 1\nrules: {release-groups: []}"])(
    "%j holds no rules",
    async (text) => {
      expect((await read(text)).rules).toEqual({ skip_records: {}, filters: {}, rules: {} });
    },
  );

  it("may speak of release groups, which no dump holds", async () => {
    expect((await read(`rules: {release-groups: [${RULE}]}`)).rules.rules).toEqual({});
    expect(await problemsOf(await fileOf("rules: {release-groups: [{}]}"))).toContain("rules.release-groups[0].name");
  });

  it("may have sub-keys that nobody knows", async () => {
    const text = RULE.replace("{name", "{since: 2020, name").replace("type: required", "type: required, note: x");
    expect((await read(`rules: {labels: [${text}]}`)).digest).toBe((await read(`rules: {labels: [${RULE}]}`)).digest);
  });
});

describe("the digest", () => {
  const base = `rules: {labels: [${RULE}], artists: [${RULE}]}`;

  it.each([
    ["the order of types", `rules: {artists: [${RULE}], labels: [${RULE}]}`],
    ["comments and layout", `# why\nrules:\n  labels: [${RULE}]\n  artists:\n    - ${RULE}\n`],
    ["descriptions", base.replaceAll("name: n", 'name: n, description: "d"')],
    ["the order of keys", base.replaceAll("name: n, field: f", "field: f, name: n")],
    ["types without rules", `${base}\nfilters: {masters: []}`],
  ])("is the same whatever %s", async (_, text) => {
    expect((await read(text)).digest).toBe((await read(base)).digest);
  });

  it.each([
    ["a field", base.replace("field: f", "field: g")],
    ["a severity", base.replace("severity: info", "severity: error")],
    ["a name", base.replace("name: n", "name: m")],
    ["the order of rules", `rules: {labels: [${RULE.replace("n,", "a,")}, ${RULE}], artists: [${RULE}]}`],
    ["a reason of a skip", `skip_records: {labels: [{field: f, contains: c, reason: r}]}\n${base}`],
  ])("is another with %s", async (_, text) => {
    expect((await read(text)).digest).not.toBe((await read(base)).digest);
  });

  it("is another with rules in another order", async () => {
    const [a, b] = [RULE, RULE.replace("name: n", "name: m")];
    expect((await read(`rules: {labels: [${a}, ${b}]}`)).digest).not.toBe((await read(`rules: {labels: [${b}, ${a}]}`)).digest);
  });
});

describe("a bad file", () => {
  it.each([
    ["- a", "give a map with skip_records, filters and rules"],
    ["rules: [1]", "rules: give a map with the keys artists, labels, masters, releases, release-groups"],
    ["rules: {relaeses: []}", "rules: there is no data type relaeses; known are artists, labels, masters, releases, release-groups"],
    ["filters: {labels: {a: 1}}", "filters.labels: give a list"],
    ["skip_records: {labels: [{field: f, contains: 7, reason: r}]}", "skip_records.labels[0].contains: give text, in quotes if it looks like anything else"],
    ["skip_records: {labels: [{field: f, contains: x}]}", "skip_records.labels[0].reason: give text"],
    ["filters: {labels: [{field: f}]}", "filters.labels[0]: give remove_matching or nullify_when"],
    ["filters: {labels: [{field: f, nullify_when: {type: range}}]}", "filters.labels[0].nullify_when: give below or above"],
    ["filters: {labels: [{field: f, nullify_when: {type: regex, below: 1}}]}", "filters.labels[0].nullify_when.type: give range"],
    ['filters: {labels: [{field: f, nullify_when: {type: range, below: "1"}}]}', "filters.labels[0].nullify_when.below: give a number"],
    [`rules: {labels: [${RULE.replace("required", "needed")}]}`, "rules.labels[0].condition"],
    [`rules: {labels: [${RULE.replace("info", "fatal")}]}`, "rules.labels[0].severity: give error, warning or info"],
    [`rules: {labels: [${RULE.replace("{type: required}", "{type: length, min: -1}")}]}`, "rules.labels[0].condition.min: give a number of at least 0"],
    [`rules: {labels: [${RULE.replace("{type: required}", "{type: range, min: .inf}")}]}`, "rules.labels[0].condition.min: give a number"],
    [`rules: {labels: [${RULE.replace("{type: required}", "{type: enum}")}]}`, "rules.labels[0].condition.values"],
    ["a: 1\na: 2", "Map keys must be unique"],
    ["a: [", "Flow sequence"],
    ["rules: &a [*a]", "rules: give a map"],
    ['filters: {labels: [{field: f, remove_matching: "("}]}', 'filters.labels[0]: remove_matching "(": unclosed group'],
    [`rules: {labels: [${RULE.replace("{type: required}", '{type: regex, pattern: "(?<=a)b"}')}]}`, "look-around"],
    [`rules: {labels: [${RULE.replace("{type: required}", "{type: regex, pattern: '(a)\\1'}")}]}`, "backreferences are not supported"],
  ])("%j: %s", async (text, problem) => {
    expect(await problemsOf(await fileOf(text))).toContain(problem);
  });

  it("is told with everything that is wrong", async () => {
    const problems = await problemsOf(await fileOf(`rules: {labels: [${RULE.replace("info", "x")}], artist: [], masters: [${RULE}, {}]}`));
    for (const place of ["rules.labels[0].severity", "no data type artist", "rules.masters[1].name", "rules.masters[1].field"])
      expect(problems).toContain(place);
    const patterns = await problemsOf(await fileOf('filters: {labels: [{field: f, remove_matching: "("}, {field: f, remove_matching: "["}]}'));
    expect(patterns).toMatch(/^filters\.labels\[0\].*; filters\.labels\[1\]/);
  });

  it("is no bomb", async () => {
    const level = (name: string, of: string) => `${name}: &${name} [${Array.from({ length: 10 }, () => of).join(", ")}]`;
    const bomb = ["a: &a [x]", level("b", "*a"), level("c", "*b"), level("d", "*c"), level("e", "*d")].join("\n");
    expect(await problemsOf(await fileOf(bomb))).toContain("alias count");
    expect(await problemsOf(await fileOf(`#${"x".repeat(1024 * 1024)}`))).toBe("it is larger than 1048576 bytes");
    const many = Array.from({ length: 1_001 }, () => RULE).join(", ");
    expect(await problemsOf(await fileOf(`rules: {labels: [${many}]}`))).toContain("rules.labels: ");
  });

  it("is one that cannot be read", async () => {
    expect(await problemsOf(join(folder, "none.yaml"))).toBe("it cannot be read (ENOENT)");
    await mkdir(join(folder, "folder.yaml"));
    expect(await problemsOf(join(folder, "folder.yaml"))).toBe("it cannot be read (EISDIR)");
    expect(await problemsOf(await fileOf(Uint8Array.of(0x61, 0xff)))).toBe("it is not UTF-8");
  });

  it("is one whose name, links resolved, is not that of YAML", async () => {
    const text = await fileOf("{}", "rules.txt");
    expect(await problemsOf(text)).toContain("does not end in .yaml or .yml");
    await symlink(text, join(folder, "link.yaml"));
    expect(await problemsOf(join(folder, "link.yaml"))).toContain("rules.txt does not end in .yaml or .yml");
    await symlink(await fileOf("{}", "good.yml"), join(folder, "link"));
    expect((await readRulesFile(join(folder, "link"))).rules.rules).toEqual({});
  });
});
