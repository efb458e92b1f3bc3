/**
 * Brokers of one store, as programs: one of them can be killed while guests ask.
 *
 * @module
 */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { build } from 'esbuild';
import type { PostgresAddress } from '../../../src/broker/store/postgres-client.ts';
import {
  type Answer,
  adminCall,
  person,
  SERVER,
  testYaml,
  type Who,
} from '../../../src/broker/testing/test-broker.ts';

const ROOT = join(import.meta.dirname, '../../..');
const OPTIONS = { env: { ...process.env, NODE_PATH: join(ROOT, 'node_modules') } };
const KEYS = ['root.key', 'audit.key', 'results.key'];

interface Serving {
  readonly child: ChildProcess;
  readonly ports: { readonly guests: number; readonly admin: number };
}

export class BrokerPair implements AsyncDisposable {
  readonly directory = mkdtempSync(join(tmpdir(), 'a3s-broker-pair-'));
  readonly #main = join(this.directory, 'broker.cjs');
  readonly #serving: (Serving | undefined)[] = [undefined, undefined];
  #turn = 0;

  /** Makes keys with the first broker, and gives copies to the second. */
  static async start({ host, database, user }: PostgresAddress): Promise<BrokerPair> {
    const pair = new BrokerPair();
    await build({
      ...{ entryPoints: [join(ROOT, 'src/broker/main.ts')], outfile: pair.#main },
      ...{ bundle: true, platform: 'node', target: 'node20', format: 'cjs' },
      ...{ conditions: ['a3s-source'], external: ['better-sqlite3', 'koffi', 'pg-native'] },
      logLevel: 'silent',
    });
    const limits = 'requestsPerSecond: 10000, burst: 10000, requestsPerSecondOfAll: 100000';
    const store = `store: {postgresql: {host: ${host}, database: ${database}, user: ${user}}}`;
    const files = {
      'broker.yaml': testYaml({ limits }).replace('store: broker.db', store),
      'roots.pem': readFileSync(join(ROOT, 'test/vectors/roots.pem')),
      'tls.crt': SERVER.cert,
      'tls.key': SERVER.key,
    };
    for (const index of [0, 1]) {
      mkdirSync(pair.#at(index), { mode: 0o700 });
      for (const [name, text] of Object.entries(files)) writeFileSync(pair.#at(index, name), text);
    }
    const { status, stderr, stdout } = pair.run('init', '--config', pair.#at(0, 'broker.yaml'));
    if (status !== 0) throw new Error(stderr);
    writeFileSync(join(pair.directory, 'audit.pem'), stdout);
    for (const name of KEYS) copyFileSync(pair.#at(0, name), pair.#at(1, name));
    await Promise.all([0, 1].map((index) => pair.serve(index)));
    return pair;
  }

  run(...args: readonly string[]) {
    return spawnSync(process.execPath, [this.#main, ...args], { ...OPTIONS, encoding: 'utf8' });
  }

  async serve(index: number): Promise<void> {
    const args = [this.#main, 'serve', '--config', this.#at(index, 'broker.yaml')];
    const child = spawn(process.execPath, args, {
      ...OPTIONS,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const errors: Buffer[] = [];
    child.stderr.on('data', (part) => errors.push(part));
    for await (const line of createInterface({ input: child.stdout })) {
      this.#serving[index] = { child, ports: JSON.parse(line).serving };
      return;
    }
    throw new Error(`broker ${index} ended before it served: ${Buffer.concat(errors)}`);
  }

  async kill(index: number, signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
    const serving = this.#serving[index];
    if (serving === undefined) return;
    this.#serving[index] = undefined;
    const exited = once(serving.child, 'exit');
    serving.child.kill(signal);
    await exited;
  }

  /** Of the two, in turns: as behind a proxy that knows of no session. */
  url(path: string): string {
    this.#turn += 1;
    const living = this.#serving.filter((each) => each !== undefined);
    const chosen = living[this.#turn % living.length];
    return `http://127.0.0.1:${chosen?.ports.guests ?? 1}${path}`;
  }

  admin(method: string, path: string, body?: unknown, as: Who = 'alice'): Promise<Answer> {
    const serving = this.#serving.find((each) => each !== undefined);
    return adminCall(serving?.ports.admin ?? 1, method, path, body, person(as));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const index of [0, 1]) await this.kill(index);
    rmSync(this.directory, { recursive: true });
  }

  #at(index: number, ...names: readonly string[]): string {
    return join(this.directory, String(index), ...names);
  }
}
