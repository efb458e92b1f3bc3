/**
 * Servers with faults, and transports to them, for tests. Each is closed when its test ends.
 *
 * @module
 */
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import type { LookupFunction } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { readProxies } from '../hosts/proxies.ts';
import type { RegistryRequest } from '../http/message.ts';
import type { TransportLimits } from '../http/transport-limits.ts';
import type { Credentials } from '../registry.ts';
import { HttpTransport } from '../transport/http-transport.ts';
import { Network } from '../transport/network.ts';
import type { Transport } from '../transport/transport.ts';
import { type Answer, type FaultServer, startFaultServer } from './fault-server.ts';
import { type CertificateFiles, type TestAuthority, testAuthority } from './test-authority.ts';

export const USER: Credentials = { username: 'ci', password: 's3cret' };
export const BASIC = `Basic ${Buffer.from('ci:s3cret').toString('base64')}`;
export const PULL = ['repository:team/app:pull'];
export const GET: RegistryRequest = {
  method: 'GET',
  target: 'team/app/manifests/1',
  scopes: PULL,
  expected: [200],
};

/** Long enough for a busy host: tests of a limit set their own. */
const LIMITS = {
  ...{ attempts: 3, backoffMs: 1 },
  ...{ connectMs: 20_000, headersMs: 20_000, stallMs: 20_000 },
};

export interface Settings {
  readonly credentials?: Credentials | undefined;
  readonly limits?: Partial<TransportLimits>;
  readonly registries?: object;
  readonly certs?: string;
  readonly proxies?: Record<string, string>;
  readonly lookup?: LookupFunction;
}

export class TransportBench {
  readonly #directory = mkdtempSync(join(tmpdir(), 'a3s-transport-'));
  readonly #authority: TestAuthority = testAuthority(this.#directory);
  readonly #server: CertificateFiles = this.#authority.server('server');
  readonly #cleanups: (() => unknown)[] = [];

  /** For the end of the test. */
  onEnd(cleanup: () => unknown): void {
    this.#cleanups.push(cleanup);
  }

  async endTest(): Promise<void> {
    for (const cleanup of this.#cleanups.splice(0).reverse()) await cleanup();
  }

  remove(): void {
    rmSync(this.#directory, { recursive: true, force: true });
  }

  async plain(answer: Answer): Promise<FaultServer> {
    const started = await startFaultServer(answer);
    this.onEnd(() => started.stop());
    return started;
  }

  async tls(answer: Answer): Promise<FaultServer> {
    const tls = { files: this.#server, authority: this.#authority };
    const started = await startFaultServer(answer, tls);
    this.onEnd(() => started.stop());
    return started;
  }

  to(domain: string, settings: Settings = {}): Transport {
    const file = join(mkdtempSync(join(this.#directory, 'registries-')), 'registries.yaml');
    writeFileSync(file, JSON.stringify({ registries: settings.registries ?? {} }));
    const network = new Network({
      certsDirectories: settings.certs === undefined ? [] : [settings.certs],
      registriesFiles: [file],
      limits: { ...LIMITS, ...settings.limits },
      proxies: readProxies(settings.proxies ?? {}),
      ...(settings.lookup === undefined ? {} : { lookup: settings.lookup }),
    });
    this.onEnd(() => network.close());
    return new HttpTransport({ network, domain, credentials: settings.credentials });
  }

  /** A certs.d with the authority for these hosts, and a client certificate for the first one. */
  certsFor(first: string, ...others: string[]): string {
    const root = mkdtempSync(join(this.#directory, 'certs-'));
    for (const host of [first, ...others]) {
      mkdirSync(join(root, host));
      copyFileSync(this.#authority.caFile, join(root, host, 'ca.crt'));
    }
    const client = this.#authority.client('client');
    copyFileSync(client.cert, join(root, first, 'client.cert'));
    copyFileSync(client.key, join(root, first, 'client.key'));
    return root;
  }
}

export async function bodyOf(transport: Transport, request = GET): Promise<string> {
  return await text((await transport.send(request)).body);
}

export const redirectTo =
  (location: string, status = 307): Answer =>
  (_, response) => {
    response.writeHead(status, { location }).end();
  };

export const ok: Answer = (_, response) => {
  response.end('ok');
};

/** Asks for a password first. */
export const withPassword =
  (answer: Answer): Answer =>
  (request, response) => {
    if (request.headers.authorization === BASIC) return answer(request, response);
    response.writeHead(401, { 'www-authenticate': 'Basic realm="r"' }).end();
  };

/** Answers well while a client only checks that it exists. */
export const afterPing =
  (answer: Answer): Answer =>
  (request, response) => {
    if (request.url === '/v2/') response.end();
    else answer(request, response);
  };
