/**
 * A PostgreSQL server of its own for tests: Debian's, in a directory of its own, on a Unix socket.
 *
 * @module
 */
import { type ChildProcess, type SpawnOptions, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  chownSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { PostgresAddress } from '../store/postgres-client.ts';
import type { TestCertificate } from './certificate.ts';

const PROGRAMS = '/usr/lib/postgresql';
/** PostgreSQL does not run as root. */
const NOBODY = 65_534;
const USER = 'postgres';
/** As short as the tests: what a kill of the server leaves is in the host's memory. */
const FAST = ['fsync=off', 'full_page_writes=off', 'shared_buffers=8MB', 'max_connections=20'];

export class PostgresServer implements AsyncDisposable {
  readonly directory: string;
  readonly #programs: string;
  /** On 127.0.0.1, where it has TLS. */
  #port = 5432;
  #process: ChildProcess | undefined;

  private constructor(directory: string, programs: string) {
    this.directory = directory;
    this.#programs = programs;
  }

  /** With a database, and a role that may log in from this host. */
  static async start(): Promise<PostgresServer> {
    const versions = readdirSync(PROGRAMS).toSorted((a, b) => Number(b) - Number(a));
    const [newest] = versions;
    if (newest === undefined) throw new Error(`there is no PostgreSQL in ${PROGRAMS}`);
    const directory = mkdtempSync(join(tmpdir(), 'a3s-postgres-'));
    const server = new PostgresServer(directory, join(PROGRAMS, newest, 'bin'));
    chmodSync(directory, 0o700);
    if (process.geteuid?.() === 0) chownSync(directory, NOBODY, NOBODY);
    const flags = ['-U', USER, '-A', 'trust', '--no-locale', '-E', 'UTF8', '--no-sync'];
    server.#run('initdb', '-D', server.#data, ...flags, '--no-instructions');
    await server.begin();
    return server;
  }

  /** Where brokers find it. */
  address(database: string = USER): PostgresAddress {
    return { host: this.directory, port: this.#port, database, user: USER };
  }

  /** A new database, so that tests share a server. */
  create(database: string): PostgresAddress {
    this.sql(`CREATE DATABASE ${database}`);
    return this.address(database);
  }

  /** From now on the database wants that method of authentication; the last one counts. */
  require(database: string, method: string): void {
    const path = join(this.#data, 'pg_hba.conf');
    writeFileSync(path, `local ${database} all ${method}\n${readFileSync(path, 'utf8')}`);
    this.sql('SELECT pg_reload_conf()');
  }

  /** What `psql` prints, one row a line. */
  sql(text: string, database: string = USER): string {
    const flags = ['-X', '-q', '-A', '-t', '-v', 'ON_ERROR_STOP=1'];
    const place = ['-h', this.directory, '-p', String(this.#port), '-U', USER, '-d', database];
    return this.#run('psql', ...flags, ...place, '-c', text);
  }

  /** Ends it, and begins it again on a port of 127.0.0.1 too, with TLS. */
  async beginWithTls({ cert, key }: TestCertificate): Promise<number> {
    await this.kill();
    for (const [name, text] of Object.entries({ 'tls.crt': cert, 'tls.key': key })) {
      const path = join(this.#data, name);
      writeFileSync(path, text, { mode: 0o600 });
      if (process.geteuid?.() === 0) chownSync(path, NOBODY, NOBODY);
    }
    const probe = createServer().listen(0, '127.0.0.1');
    await once(probe, 'listening');
    this.#port = (probe.address() as AddressInfo).port;
    probe.close();
    const tls = ['ssl=on', 'ssl_cert_file=tls.crt', 'ssl_key_file=tls.key'];
    await this.begin('127.0.0.1', `port=${this.#port}`, ...tls);
    return this.#port;
  }

  async begin(addresses = '', ...more: readonly string[]): Promise<void> {
    const place = [`listen_addresses=${addresses}`, `unix_socket_directories=${this.directory}`];
    const settings = [...FAST, ...place, ...more];
    const args = ['-D', this.#data, ...settings.flatMap((setting) => ['-c', setting])];
    const child = spawn(join(this.#programs, 'postgres'), args, {
      ...this.#options,
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    this.#process = child;
    const lines: string[] = [];
    if (child.stderr === null) throw new Error('it has an output');
    for await (const line of createInterface({ input: child.stderr })) {
      lines.push(line);
      if (line.includes('ready to accept connections')) {
        child.stderr.resume();
        return;
      }
    }
    throw new Error(`PostgreSQL ended:\n${lines.join('\n')}`);
  }

  /** Its processes end at once, as of a host that fails; `begin` recovers from its log. */
  async kill(): Promise<void> {
    const child = this.#process;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const exited = once(child, 'exit');
    // Its own children notice that it is gone, and end.
    child.kill('SIGKILL');
    await exited;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const child = this.#process;
    if (child !== undefined && child.exitCode === null && child.signalCode === null) {
      const exited = once(child, 'exit');
      child.kill('SIGQUIT');
      await exited;
    }
    rmSync(this.directory, { recursive: true });
  }

  get #data(): string {
    return join(this.directory, 'data');
  }

  get #options(): SpawnOptions {
    const { PATH = '', LANG = 'C' } = process.env;
    const env = { PATH, LANG };
    const root = process.geteuid?.() === 0;
    return { env, cwd: this.directory, ...(root && { uid: NOBODY, gid: NOBODY }) };
  }

  #run(program: string, ...args: readonly string[]): string {
    const { status, stdout, stderr } = spawnSync(join(this.#programs, program), args, {
      ...this.#options,
      encoding: 'utf8',
    });
    if (status !== 0) throw new Error(`${program}: ${stderr}`);
    return stdout.trim();
  }
}
