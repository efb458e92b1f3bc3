/**
 * A registry for one test: Debian's `docker-registry` on a free port of 127.0.0.1, with storage of
 * its own.
 *
 * The token server answers in the process of the test, which must not wait synchronously for its
 * clients.
 *
 * @module
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  startTokenServer,
  type TokenServer,
  type TokenServerOptions,
} from './fake-token-server.ts';
import { type CertificateFiles, type TestAuthority, testAuthority } from './test-authority.ts';

export const TEST_USER = { username: 'ci', password: 'open sesame' } as const;

/** The bcrypt hash of that password. */
const HTPASSWD = 'ci:$2b$04$abcdefghijklmnopqrstuu/LVz6MZlItEy42I2juLihZ66HnQx/cy\n';

const START_TIMEOUT_MS = 20_000;

export interface StartRegistryOptions {
  /** With a certificate of the test's own authority; `'client'` asks clients for one, too. */
  readonly tls?: boolean | 'client';
  /** Basic authentication of `TEST_USER`. */
  readonly htpasswd?: boolean;
  /** Bearer tokens, from a token server beside it that knows `TEST_USER`. */
  readonly token?: boolean | Pick<TokenServerOptions, 'expiresIn' | 'postOnly' | 'getOnly'>;
}

export interface StartedRegistry {
  /** `127.0.0.1:PORT`: the domain of its images' names. */
  readonly host: string;
  readonly url: string;
  /** Holds the registry's storage in `storage`, and whatever a test puts beside it. */
  readonly directory: string;
  /** There with `tls` or `token`. */
  readonly authority: TestAuthority | undefined;
  /** There with `tls: 'client'`. */
  readonly client: CertificateFiles | undefined;
  /** There with `token`. */
  readonly tokens: TokenServer | undefined;
  /**
   * A `certs.d` with what a client of this registry needs; skopeo and podman take it, and so do we.
   *
   * @returns path of the directory that holds `127.0.0.1:PORT/`
   */
  certsDirectory(): string;
  stop(): Promise<void>;
}

export async function startRegistry(options: StartRegistryOptions = {}): Promise<StartedRegistry> {
  const directory = mkdtempSync(join(tmpdir(), 'a3s-registry-'));
  let tokens: TokenServer | undefined;
  let child: ChildProcess | undefined;
  const stop = async (): Promise<void> => {
    if (child !== undefined) await end(child);
    await tokens?.stop();
    rmSync(directory, { recursive: true, force: true });
  };
  try {
    const tls = options.tls ?? false;
    const token = options.token === true ? {} : (options.token ?? false);
    const authority = tls !== false || token !== false ? testAuthority(directory) : undefined;
    const server = tls === false ? undefined : authority?.server('server');
    const client = tls === 'client' ? authority?.client('client') : undefined;
    if (authority !== undefined && token !== false) {
      const signing = authority.signing('signing');
      tokens = await startTokenServer({ ...token, ...TEST_USER, signing, tls: server });
    }
    if (options.htpasswd === true) writeFileSync(join(directory, 'htpasswd'), HTPASSWD);
    const config = join(directory, 'config.yml');
    const auth = authSection(options, directory, authority, tokens);
    const http = httpSection(server, client === undefined ? undefined : authority);
    writeFileSync(config, JSON.stringify(configuration(directory, http, auth)));
    child = spawn('setpriv', ['--pdeathsig', 'KILL', 'docker-registry', 'serve', config], {
      env: { PATH: process.env['PATH'], OTEL_TRACES_EXPORTER: 'none' },
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    const host = await listening(child);
    return {
      host,
      url: `${tls === false ? 'http' : 'https'}://${host}`,
      ...{ directory, authority, client, tokens, stop },
      certsDirectory: () => writeCerts(join(directory, 'certs.d'), host, authority, client),
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

function configuration(directory: string, http: object, auth: object): object {
  return {
    version: 0.1,
    log: { level: 'info', accesslog: { disabled: true } },
    storage: {
      filesystem: { rootdirectory: join(directory, 'storage') },
      delete: { enabled: true },
      maintenance: { uploadpurging: { enabled: false } },
    },
    http,
    ...auth,
  };
}

function httpSection(server: CertificateFiles | undefined, clients: TestAuthority | undefined) {
  const tls =
    server === undefined
      ? undefined
      : {
          certificate: server.cert,
          key: server.key,
          ...(clients === undefined ? {} : { clientcas: [clients.caFile] }),
        };
  return { addr: '127.0.0.1:0', secret: 'of a test', ...(tls === undefined ? {} : { tls }) };
}

function authSection(
  options: StartRegistryOptions,
  directory: string,
  authority: TestAuthority | undefined,
  tokens: TokenServer | undefined,
): object {
  if (tokens !== undefined) {
    const { realm, service, issuer } = tokens;
    return { auth: { token: { realm, service, issuer, rootcertbundle: authority?.caFile } } };
  }
  if (options.htpasswd !== true) return {};
  return { auth: { htpasswd: { realm: 'test', path: join(directory, 'htpasswd') } } };
}

/** The address that it says it listens on. */
function listening(child: ChildProcess): Promise<string> {
  return new Promise((resolve, reject) => {
    let log = '';
    const timer = setTimeout(() => fail('took too long to start'), START_TIMEOUT_MS);
    const fail = (what: string): void => {
      clearTimeout(timer);
      reject(new Error(`docker-registry ${what}: ${log.slice(-2000)}`));
    };
    child.once('error', (error) => fail(error.message));
    child.once('exit', (code) => fail(`ended with ${code}`));
    // Its output is read to the end, since a full pipe would stop the registry.
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      log = (log + text).slice(-65_536);
      const address = /listening on (127\.0\.0\.1:\d+)/.exec(log)?.[1];
      if (address === undefined) return;
      clearTimeout(timer);
      resolve(address);
    });
  });
}

function end(child: ChildProcess): Promise<void> {
  return new Promise((resolve) => {
    if (child.exitCode !== null || child.signalCode !== null || child.pid === undefined) {
      resolve();
      return;
    }
    child.once('exit', () => resolve());
    child.kill('SIGKILL');
  });
}

function writeCerts(
  root: string,
  host: string,
  authority: TestAuthority | undefined,
  client: CertificateFiles | undefined,
): string {
  const directory = join(root, host);
  mkdirSync(directory, { recursive: true });
  if (authority !== undefined) copyFileSync(authority.caFile, join(directory, 'ca.crt'));
  if (client !== undefined) {
    copyFileSync(client.cert, join(directory, 'client.cert'));
    copyFileSync(client.key, join(directory, 'client.key'));
  }
  return root;
}
