/**
 * The world of the egress tests: servers at addresses that look public, and a client in the guest.
 *
 * @module
 */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'vitest';
import { userNetworks } from '../../../src/networks/host/available.ts';
import { Lab, NETWORK6, RESOLVER } from './lab.ts';

/** A shared address of a content network, others, a foreign DNS server, and a private service. */
export const CDN = '203.0.113.10';
export const OWN = '203.0.113.20';
export const FOREIGN_DNS = '198.51.100.53';
export const PRIVATE = '192.168.77.5';
/** Of the world with IPv6. */
export const CDN6 = '2001:db8:cd::10';
export const OWN6 = '2001:db8:cd::20';
export const FOREIGN_DNS6 = '2001:db8:53::53';
export const PRIVATE6 = 'fd00:77::5';
export const METADATA6 = 'fd00:ec2::254';
export const NO_NAME = { rcode: 3, addresses: [], ttl: 0 };
export const UNREACHABLE: unknown = expect.stringMatching(
  /^(EHOSTUNREACH|ECONNREFUSED|EACCES|ENETUNREACH|timeout)$/,
);
export const BROKEN: unknown = expect.stringMatching(/^(ECONNRESET|closed|EPIPE)$/);

const BUNDLE = join(import.meta.dirname, '../../../dist/egress.cjs');

/** Whether these tests can run: as root alone, and then they have to. */
export async function canRun(): Promise<boolean> {
  const { available, reason } = await userNetworks();
  const isRoot = process.geteuid?.() === 0;
  if (!available && isRoot) throw new Error(`No networks here: ${reason}`);
  return isRoot;
}

const WORLD6 = [CDN6, OWN6, FOREIGN_DNS6, PRIVATE6, METADATA6];

export async function openWorld({ ipv6 = false } = {}): Promise<Lab> {
  const world = [RESOLVER, CDN, OWN, FOREIGN_DNS, PRIVATE];
  const lab = await Lab.open(BUNDLE, ipv6 ? [...world, ...WORLD6] : world);
  try {
    await serve(lab, ipv6);
    return lab;
  } catch (error) {
    await lab.close();
    throw error;
  }
}

async function serve(lab: Lab, ipv6: boolean): Promise<void> {
  const [key, cert] = certificate(lab.directory);
  const servers = [CDN, OWN, PRIVATE, ...(ipv6 ? [CDN6, OWN6, PRIVATE6, METADATA6] : [])];
  for (const address of servers) {
    await lab.world('serveTls', { address, key, cert });
    await lab.world('serveHttp', { address });
    await lab.world('serveTcp', { address, port: 5432 });
    for (const port of [443, 9000]) await lab.world('serveUdp', { address, port });
  }
  const resolvers = [RESOLVER, FOREIGN_DNS, ...(ipv6 ? [FOREIGN_DNS6, NETWORK6.gateway] : [])];
  for (const address of resolvers) await lab.world('serveDns', { address });
  for (const name of ['good.example.org', 'sibling.example.net', 'a.b.example.org']) {
    const six = ipv6 ? [{ owner: name, a: CDN6 }] : [];
    await lab.name(name, [{ owner: name, a: CDN }, ...six]);
  }
  const own = { owner: 'own.example.net', a: OWN };
  await lab.name('own.example.net', ipv6 ? [own, { ...own, a: OWN6 }] : [own]);
}

/** What the guest does. Results are what a server answers, or how the connection failed. */
export class Client {
  readonly #lab: () => Lab;

  constructor(lab: () => Lab) {
    this.#lab = lab;
  }

  /** Asks for a page of a host. @param more what follows the request at once */
  async http(address: string, host: string, more = ''): Promise<string> {
    const request = `GET / HTTP/1.1\r\nHost: ${host}\r\n\r\n${more}`;
    const send = Buffer.from(request).toString('hex');
    return text(await this.#lab().guest('tcp', { address, port: 80, send }));
  }

  async tls(address: string, name: string): Promise<string> {
    return await this.#lab().guest('tls', { address, name });
  }

  async tcp(address: string, port: number, more: { send?: string; keep?: string } = {}) {
    return text(await this.#lab().guest('tcp', { address, port, send: '01', ...more }));
  }

  async again(keep: string): Promise<string> {
    return text(await this.#lab().guest('again', { keep, send: '02' }));
  }

  async udp(address: string, port: number, length = 3): Promise<string> {
    return text(await this.#lab().guest('datagram', { address, port, length }));
  }

  async raw(address: string, protocol: number): Promise<string> {
    // An echo request of ICMP, with its checksum.
    return await this.#lab().raw(address, protocol, Buffer.from('0800f7ff00000000', 'hex'));
  }
}

function text(hex: string): string {
  return /^([0-9a-f]{2})+$/.test(hex) ? Buffer.from(hex, 'hex').toString() : hex;
}

/** A certificate that its own key has signed, and the key before it. */
export function certificate(directory: string, host = 'test'): [string, string] {
  const [key, cert] = ['key.pem', 'cert.pem'].map((name) => join(directory, name)) as [
    string,
    string,
  ];
  execFileSync(
    'openssl',
    [
      ...['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'],
      ...['-subj', `/CN=${host}`, '-addext', `subjectAltName=DNS:${host}`],
      ...['-keyout', key, '-out', cert, '-days', '2'],
    ],
    { stdio: 'ignore' },
  );
  return [readFileSync(key, 'utf8'), readFileSync(cert, 'utf8')];
}
