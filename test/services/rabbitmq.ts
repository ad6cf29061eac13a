import { execFileSync } from "node:child_process";
import { rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { accepts, freePort } from "./ports.ts";
import { emptyDir, ensureDebian, start } from "./process.ts";

const BIN = "/usr/lib/rabbitmq/bin";

/** Where a broker listens. */
export interface BrokerAddress {
  /** `amqp://USER:PASSWORD@HOST:PORT`, without a virtual host. */
  readonly amqp: string;
  /** `http://USER:PASSWORD@HOST:PORT` of its management API. */
  readonly api: string;
}

/** Where a broker of our own speaks TLS, and the certificate of the authority that vouches for it. */
export interface TlsAddress {
  readonly amqps: string;
  readonly cacertfile: string;
}

interface Ports {
  readonly amqp: number;
  readonly amqps: number;
  readonly api: number;
  readonly dist: number;
  readonly epmd: number;
}

/** A broker of our own in a folder of its own, which may be stopped, killed and started again on what it left. */
export class Broker implements AsyncDisposable {
  readonly address: BrokerAddress;
  readonly tls: TlsAddress;
  readonly #dir: string;
  readonly #ports: Ports;
  readonly #env: NodeJS.ProcessEnv;
  #running: { pid: number; stop(): Promise<void>; crash(): Promise<void> } | null = null;

  private constructor(dir: string, ports: Ports) {
    this.#dir = dir;
    this.#ports = ports;
    this.address = { amqp: `amqp://guest:guest@127.0.0.1:${ports.amqp}`, api: `http://guest:guest@127.0.0.1:${ports.api}` };
    this.tls = { amqps: `amqps://guest:guest@127.0.0.1:${ports.amqps}`, cacertfile: `${dir}/certificate.pem` };
    this.#env = {
      HOME: dir, // the cookie goes here
      RABBITMQ_NODENAME: `t${ports.amqp}@localhost`,
      RABBITMQ_MNESIA_BASE: `${dir}/mnesia`,
      RABBITMQ_LOG_BASE: `${dir}/log`,
      RABBITMQ_CONFIG_FILE: `${dir}/rabbitmq.conf`,
      RABBITMQ_ENABLED_PLUGINS_FILE: `${dir}/plugins`,
      RABBITMQ_PID_FILE: `${dir}/pid`,
      RABBITMQ_DIST_PORT: `${ports.dist}`,
      RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS: "-kernel inet_dist_use_interface {127,0,0,1}",
      ERL_EPMD_ADDRESS: "127.0.0.1",
      ERL_EPMD_PORT: `${ports.epmd}`,
      RUNNING_UNDER_SYSTEMD: "true", // the script execs the VM, so our child is the server itself
    };
  }

  /** Starts an empty broker; installs RabbitMQ first if it is not there. */
  static async start(): Promise<Broker> {
    ensureDebian(`${BIN}/rabbitmq-server`, "rabbitmq-server");
    ensureDebian("/usr/bin/openssl", "openssl");
    const ports = { amqp: await freePort(), amqps: await freePort(), api: await freePort(), dist: await freePort(), epmd: await freePort() };
    const dir = emptyDir(join(tmpdir(), `deadwax-rabbitmq-${process.pid}-${ports.amqp}`));
    writeFileSync(`${dir}/plugins`, "[rabbitmq_management].\n");
    const certificate = ["-keyout", `${dir}/key.pem`, "-out", `${dir}/certificate.pem`, "-subj", "/CN=test", "-addext", "subjectAltName=IP:127.0.0.1"];
    execFileSync("openssl", ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", ...certificate], { stdio: "ignore" });
    const settings = {
      "listeners.tcp.1": `127.0.0.1:${ports.amqp}`,
      "listeners.ssl.1": `127.0.0.1:${ports.amqps}`,
      "ssl_options.cacertfile": `${dir}/certificate.pem`,
      "ssl_options.certfile": `${dir}/certificate.pem`,
      "ssl_options.keyfile": `${dir}/key.pem`,
      "management.tcp.ip": "127.0.0.1",
      "management.tcp.port": ports.api,
      "disk_free_limit.absolute": "50MB",
    };
    const lines = Object.entries(settings).map(([key, value]) => `${key} = ${value}\n`);
    writeFileSync(`${dir}/rabbitmq.conf`, lines.join(""));
    const broker = new Broker(dir, ports);
    await broker.restart();
    return broker;
  }

  /** Starts it on what it left. */
  async restart(): Promise<void> {
    const { amqp, api, epmd } = this.#ports;
    const dir = this.#dir;
    // A name server of our own, or a daemon stays behind.
    const names = await start({ dir, argv: ["epmd", "-address", "127.0.0.1", "-port", `${epmd}`], ready: () => accepts(epmd) });
    const ready = async () => (await fetch(`http://127.0.0.1:${api}/`)).ok && accepts(amqp);
    const node = await start({ dir, env: this.#env, argv: [`${BIN}/rabbitmq-server`], ready });
    this.#running = {
      pid: node.pid,
      stop: () => node.stop().then(names.crash),
      crash: () => node.crash().then(names.crash),
    };
  }

  /** Ends it as an administrator would. */
  async stop(): Promise<void> {
    await this.#running?.stop();
    this.#running = null;
  }

  /** Kills it. */
  async crash(): Promise<void> {
    await this.#running?.crash();
    this.#running = null;
  }

  /** Has it hang, with its connections open, or go on. */
  hang(hangs: boolean): void {
    if (this.#running !== null) process.kill(this.#running.pid, hangs ? "SIGSTOP" : "SIGCONT");
  }

  /** Runs rabbitmqctl; takes a second or more, since it starts a VM. */
  ctl(...args: string[]): string {
    return execFileSync(`${BIN}/rabbitmqctl`, ["-q", ...args], { env: { ...process.env, ...this.#env }, encoding: "utf8" });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.crash();
    rmSync(this.#dir, { recursive: true, force: true });
  }
}
