/**
 * A secret broker of an actor: the product's program, with an administrator `alice`.
 *
 * @module
 */
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { keyPin, testCertificate } from '../../../src/broker/testing/certificate.ts';
import type { Actor, RunOptions } from '../actor.ts';

/** A port of this host that is free now. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  return port;
}

export class BrokerProgram implements AsyncDisposable {
  readonly directory: string;
  readonly pin: string;
  readonly #actor: Actor;
  readonly #port: number;
  #serving: { readonly child: ChildProcess; readonly admin: number } | undefined;

  private constructor(actor: Actor, directory: string, port: number) {
    this.#actor = actor;
    this.directory = directory;
    this.#port = port;
    mkdirSync(directory);
    for (const name of ['server', 'alice']) {
      const { cert, key } = testCertificate(name);
      writeFileSync(join(directory, `${name}.crt`), cert);
      writeFileSync(join(directory, `${name}.key`), key);
    }
    this.pin = this.#pinOf('server');
  }

  /** Its address is known before it serves. */
  static async prepare(actor: Actor, name = 'broker'): Promise<BrokerProgram> {
    return new BrokerProgram(actor, join(actor.directory, name), await freePort());
  }

  /** The flag of a box that fetches from it. */
  get flag(): readonly string[] {
    return ['--broker', `https://127.0.0.1:${this.#port},key=${this.pin}`];
  }

  /**
   * @param roots of the simulated processor whose guests it knows
   * @param setUp the administrator's commands before any guest reaches it: one that asks while a
   * part is missing is refused for good
   */
  async serve(roots: Uint8Array, setUp?: () => Promise<void>): Promise<void> {
    writeFileSync(join(this.directory, 'roots.pem'), roots);
    const config = this.#configure(setUp === undefined ? this.#port : 0);
    this.#actor.own(this.directory, ...readdirSync(this.directory).map((name) => this.at(name)));
    await this.#actor.ok(['broker', 'init', '--config', config]);
    await this.#start(config);
    if (setUp === undefined) return;
    await setUp();
    await this.#end();
    await this.#start(this.#configure(this.#port));
  }

  /** @param port of guests; 0 for one that no guest knows */
  #configure(port: number): string {
    const tls = 'tls: {cert: server.crt, key: server.key}';
    const config = join(this.directory, 'broker.yaml');
    writeFileSync(
      config,
      [
        ...['store: broker.db', 'rootKey: {file: keys/root.key}', 'audit: {key: keys/audit.key}'],
        `guests: {listen: "127.0.0.1:${port}", ${tls}}`,
        `admin: {listen: "127.0.0.1:0", ${tls}}`,
        'simulated: {roots: roots.pem}',
        `tenants: {default: {admins: {alice: {key: ${this.#pinOf('alice')}}}}}`,
      ].join('\n'),
    );
    return config;
  }

  async #start(config: string): Promise<void> {
    const child = this.#actor.start(['broker', 'serve', '--config', config]);
    if (child.stdout === null) throw new Error('the broker has an output');
    for await (const line of createInterface({ input: child.stdout })) {
      this.#serving = { child, admin: JSON.parse(line).serving.admin };
      return;
    }
    throw new Error('the broker ended before it served');
  }

  /** Runs a command of the administrator. */
  async administer(args: readonly string[], options: RunOptions = {}): Promise<string> {
    if (this.#serving === undefined) throw new Error('the broker does not serve');
    const access = [
      ...['--broker', `127.0.0.1:${this.#serving.admin}`, '--server-pin', this.pin],
      ...['--cert', this.at('alice.crt'), '--key', this.at('alice.key')],
    ];
    return await this.#actor.ok(['broker', ...args, ...access], options);
  }

  at(name: string): string {
    return join(this.directory, name);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#end();
  }

  async #end(): Promise<void> {
    const child = this.#serving?.child;
    if (child === undefined || child.exitCode !== null) return;
    const exited = once(child, 'exit');
    child.kill('SIGTERM');
    await exited;
  }

  #pinOf(name: string): string {
    return keyPin(readFileSync(this.at(`${name}.crt`), 'utf8'));
  }
}
