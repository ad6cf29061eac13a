import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { overlay, type Project, readCompose, type Service, seconds, serviceOf } from "./compose.ts";
import { ROOT, readDockerfile, rulesOf, textOf, texts } from "./dockerfile.ts";

/** A stop reaches its checkpoint within `--drain-timeout-ms`. */
const DRAIN_SECONDS = 10;
const OVERLAYS = {
  topic: "deploy/discogsography-topic.compose.yaml",
  fanout: "deploy/discogsography.compose.yaml",
  table: "deploy/discogsography-table.compose.yaml",
};

const ours = readCompose("compose.yaml");
const laidOver = {
  topic: overlay(readCompose("test/deploy/projects/topic.compose.yaml"), readCompose(OVERLAYS.topic)),
  fanout: overlay(readCompose("test/deploy/projects/fanout.compose.yaml"), readCompose(OVERLAYS.fanout)),
  topicTable: overlay(readCompose("test/deploy/projects/topic.compose.yaml"), readCompose(OVERLAYS.table)),
  fanoutTable: overlay(readCompose("test/deploy/projects/fanout.compose.yaml"), readCompose(OVERLAYS.table)),
};
/** Every service that runs deadwax, in our own project and in others. */
const services: readonly (readonly [string, Service])[] = [
  ["compose.yaml", serviceOf(ours, "extractor")],
  ["topic extractor", serviceOf(laidOver.topic, "extractor")],
  ["topic rustextractor", serviceOf(laidOver.topic, "rustextractor")],
  ["fanout extractor-discogs", serviceOf(laidOver.fanout, "extractor-discogs")],
  ["topic tableinator", serviceOf(laidOver.topicTable, "tableinator")],
  ["fanout tableinator", serviceOf(laidOver.fanoutTable, "tableinator")],
];
const { build, image, args } = readDockerfile();

/** One check a rule of docs/container-security.md, by its title. */
const CHECKS: Readonly<Record<string, () => void>> = {
  "It is not root": () => {
    each(({ user }) => expect(user).toBe("1000:1000"));
    const others = readCompose("compose.yaml", { UID: "1234", GID: "4321" });
    expect(serviceOf(others, "extractor")).toMatchObject({ user: "1234:4321", build: { args: { UID: "1234", GID: "4321" } } });
    expect(textOf(image, "USER")).toMatch(/^\$\{UID\}:\$\{GID\}$/);
  },
  "It has no capabilities": () =>
    each(({ cap_drop, cap_add, privileged }) =>
      expect({ cap_drop, cap_add, privileged }).toEqual({ cap_drop: ["ALL"], cap_add: undefined, privileged: undefined }),
    ),
  "It gains none": () => each(({ security_opt }) => expect(security_opt).toEqual(["no-new-privileges:true"])),
  "Its root is read-only": () => {
    each(({ read_only }) => expect(read_only).toBe(true));
    for (const project of [ours, ...Object.values(OVERLAYS).map((path) => readCompose(path))])
      for (const { tmpfs } of Object.values(project.services)) expect(tmpfs).toBeUndefined();
  },
  "It writes to its data folder alone": () => {
    each(({ volumes = [] }) => {
      const writable = volumes.filter((volume) => !volume.endsWith(":ro")).map((volume) => volume.split(":")[1]);
      // The table writer keeps nothing.
      expect(writable.filter((target) => target !== "/logs" && target !== "/discogs-data")).toEqual([]);
    });
    expect(serviceOf(ours, "extractor").volumes).toEqual(["discogs_data:/discogs-data"]);
  },
  "It sees nothing of the host": () => {
    const hostly = ["network_mode", "pid", "ipc", "uts", "userns_mode", "devices", "device_cgroup_rules", "volumes_from", "group_add"];
    each((service) => {
      expect(Object.keys(service).filter((key) => hostly.includes(key))).toEqual([]);
      expect(JSON.stringify(service)).not.toContain("docker.sock");
    });
    for (const { volumes = [] } of Object.values(ours.services))
      for (const volume of volumes) expect(Object.keys(ours.volumes ?? {})).toContain(volume.split(":")[0]);
  },
  "Its ports stay on the machine": () => {
    const published = Object.values(ours.services).flatMap(({ ports = [] }) => ports);
    expect(published.length).toBeGreaterThan(0);
    for (const port of published) expect(port).toMatch(/^127\.0\.0\.1:\d+:\d+$/);
    for (const project of Object.values(laidOver)) for (const { ports } of Object.values(project.services)) expect(ports).toBeUndefined();
  },
  "No password is in the image": () => {
    const named = [build, image].flatMap((stage) => ["ENV", "ARG", "LABEL"].flatMap((keyword) => texts(stage, keyword)));
    for (const text of [...named, ...Object.keys(args)]) expect(text).not.toMatch(/PASS|SECRET|TOKEN|AMQP|_KEY|:\/\/\w+:/i);
    expect(serviceOf(ours, "extractor").build).toEqual({ context: ".", args: { UID: "1000", GID: "1000" } });
  },
  "Overlays name no credentials": () => {
    for (const path of Object.values(OVERLAYS)) {
      for (const service of Object.values(readCompose(path).services)) expect(Object.keys(service)).not.toContain("environment");
      expect(readFileSync(`${ROOT}${path}`, "utf8").replace(/^\s*#.*$/gm, "")).not.toMatch(/RABBITMQ|AMQP|password|secret/i);
    }
    const custom = { RABBITMQ_USERNAME: "u", RABBITMQ_PASSWORD: "p" };
    expect(serviceOf(readCompose("compose.yaml", custom), "extractor").environment?.["AMQP_CONNECTION"]).toBe("amqp://u:p@rabbitmq:5672/%2F");
  },
  "Its health is watched": () => {
    each(({ healthcheck }, where) => {
      const port = where.endsWith("tableinator") ? 8002 : 8000;
      expect(healthcheck?.test).toEqual(["CMD", "curl", "-f", `http://localhost:${port}/health`]);
    });
    expect(textOf(image, "HEALTHCHECK")).toContain("CMD curl -f http://localhost:8000/health || exit 1");
    expect(serviceOf(ours, "rabbitmq").healthcheck?.test[1]).toBe("rabbitmq-diagnostics");
  },
  "It is given time to stop": () =>
    each(({ stop_grace_period = "0s", init }) => {
      expect(seconds(stop_grace_period)).toBeGreaterThan(DRAIN_SECONDS);
      expect(init).toBe(true);
    }),
  "Its log is bounded": () =>
    each(({ logging }) =>
      expect(logging).toEqual({ driver: "json-file", options: { "max-size": expect.stringMatching(/^\d+m$/), "max-file": expect.stringMatching(/^\d+$/) } }),
    ),
  "Its image is named by version": () => {
    const { version } = JSON.parse(readFileSync(`${ROOT}package.json`, "utf8"));
    each(({ image: name, build: context }, where) => {
      expect(name).toBe(`deadwax:${version}`);
      if (where !== "compose.yaml") expect(context).toBeUndefined(); // else upstream's Dockerfile would be built under our name
    });
    for (const { image: name } of Object.values(ours.services)) expect(name).toMatch(/:\d+\.\d+/);
  },
};

describe("container security", () => {
  it.each(rulesOf("container-security.md"))("%s", (title) => {
    expect(Object.keys(CHECKS)).toContain(title);
    CHECKS[title]?.();
  });

  it("every check is a rule of the document", () => {
    expect(rulesOf("container-security.md")).toEqual(Object.keys(CHECKS));
  });

  it.each([
    ["topic", "extractor", []],
    ["topic", "rustextractor", []],
    ["fanout", "extractor-discogs", ["init"]],
    ["topicTable", "tableinator", ["command"]],
    ["fanoutTable", "tableinator", ["command"]],
  ] as const)("the overlay leaves of %s %s what it does not name", (project, name, also) => {
    const before = serviceOf(readCompose(projectOf(project)), name);
    const after = serviceOf(laidOver[project], name);
    const named: string[] = ["build", "image", "user", "read_only", "cap_drop", "security_opt", "stop_grace_period", "init", ...also];
    const rest = (service: Service) => Object.fromEntries(Object.entries(service).filter(([key]) => !named.includes(key)));
    expect(rest(after)).toEqual(rest(before));
    expect(Object.keys(after).length).toBeGreaterThan(named.length);
  });

  it("an overlay adds no service to the project", () => {
    for (const project of ["topic", "fanout", "topicTable", "fanoutTable"] as const)
      expect(namesOf(laidOver[project])).toEqual(namesOf(readCompose(projectOf(project))));
  });
});

function projectOf(project: string): string {
  return `test/deploy/projects/${project.replace("Table", "")}.compose.yaml`;
}

function namesOf({ services: all }: Project): string[] {
  return Object.keys(all).sort();
}

function each(check: (service: Service, where: string) => void): void {
  for (const [where, service] of services) check(service, where);
}
