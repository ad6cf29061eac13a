import { execFileSync } from "node:child_process";
import { describe, expect, it } from "vitest";
import { overlay, readCompose, type Service, serviceOf } from "../deploy/compose.ts";
import { ROOT } from "../deploy/dockerfile.ts";

/** Files as `docker compose -f … -f …` gets them, and the services that are ours in what becomes of them. */
const COMMANDS = [
  { files: ["compose.yaml"], services: ["extractor"] },
  { files: ["test/deploy/projects/topic.compose.yaml", "deploy/discogsography-topic.compose.yaml"], services: ["extractor", "rustextractor"] },
  { files: ["test/deploy/projects/fanout.compose.yaml", "deploy/discogsography.compose.yaml"], services: ["extractor-discogs"] },
  { files: ["test/deploy/projects/topic.compose.yaml", "deploy/discogsography-table.compose.yaml"], services: ["tableinator"] },
  { files: ["test/deploy/projects/fanout.compose.yaml", "deploy/discogsography-table.compose.yaml"], services: ["tableinator"] },
] as const;
/** What has one form only, so that it can be compared as it stands. */
const MEMBERS = [
  ...["image", "init", "user", "read_only", "cap_drop", "cap_add", "security_opt", "privileged", "tmpfs", "command", "entrypoint"],
  ...["environment", "healthcheck", "logging", "restart", "stop_grace_period", "profiles"],
];

/** The model that Compose itself makes, by the library that it is made of: validated against its schema, merged, interpolated. */
function compose(files: readonly string[]): { services: Record<string, Service> } {
  const program = process.env["TEST_COMPOSE"];
  if (program === undefined) throw new Error("run test/container/image.sh, which builds the program");
  return JSON.parse(execFileSync(program, ["-format", "json", ...files], { cwd: ROOT, encoding: "utf8", env: { PATH: process.env["PATH"] } }));
}

describe.each(COMMANDS)("Compose reads $files", ({ files, services }) => {
  const { services: real } = compose(files);
  const [first, ...others] = files.map((path) => readCompose(path));
  const ours = others.reduce(overlay, first ?? { services: {} });

  it.each(services)("%s: contained as the rules say, whatever the project had", (name) => {
    const { build, ...service } = real[name] ?? {};
    expect(service).toMatchObject({
      image: expect.stringMatching(/^deadwax:\d/),
      user: "1000:1000",
      read_only: true,
      cap_drop: ["ALL"],
      security_opt: ["no-new-privileges:true"],
      stop_grace_period: "30s",
    });
    expect(build === undefined).toBe(files.length > 1);
  });

  it.each(services)("%s: as the other tests read it", (name) => {
    const chosen = (service: Service) => Object.fromEntries(MEMBERS.filter((key) => service[key] != null).map((key) => [key, service[key]]));
    expect(chosen(real[name] ?? {})).toEqual(chosen(serviceOf(ours, name)));
  });

  it("names the same services", () => {
    expect(Object.keys(real).sort()).toEqual(Object.keys(ours.services).sort());
  });
});
