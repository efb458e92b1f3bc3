/**
 * A whole broker in this process, an administrator and guests of a simulated processor, for tests.
 *
 * @module
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { request } from 'node:https';
import { join } from 'node:path';
import { SimulatedSecureProcessor } from '@a3s-box/attestation/simulated';
import { type BrokerConfig, parseBrokerConfig } from '../config/broker-yaml.ts';
import { createSigningKeyFile } from '../keys/signing-key.ts';
import { type RunningBroker, serveBroker } from '../serve.ts';
import { keyPin, testCertificate } from './certificate.ts';
import { NOW, type TestDirectory, testDirectory } from './fixtures.ts';

const VECTORS = new URL('../../../test/vectors/', import.meta.url);
export const vector = (name: string) => readFileSync(new URL(name, VECTORS), 'utf8');

export const PROCESSOR = new SimulatedSecureProcessor(JSON.parse(vector('simulated/state.json')), {
  now: () => NOW,
});

export const HOST_DATA = new Uint8Array(32).fill(0xda);

/** @param kernel another one is another measurement */
export function launchGuest(kernel = 'kernel', hostData = HOST_DATA) {
  return PROCESSOR.launch({
    inputs: {
      vmm: 'qemu',
      ovmf: {
        hash: new Uint8Array(48).fill(7),
        sections: [{ gpa: 0x810000, size: 0x1000, type: 'kernel-hashes' }],
        hashTableGpa: 0x810c00,
        resetEip: 0x80b004,
      },
      kernel: Buffer.from(kernel),
      vcpus: 1,
      vcpuType: 'EPYC-Milan',
    },
    hostData,
  });
}

/** What accepts the guest of {@link launchGuest}. */
export function policyDocument(measurement = launchGuest().measurement) {
  return {
    allowSimulated: true,
    attestation: {
      tee: 'simulated',
      measurements: [measurement],
      hostData: Buffer.from(HOST_DATA).toString('hex'),
      crl: { required: false },
    },
  };
}

export interface Answer {
  readonly status: number;
  readonly body: Record<string, unknown>;
}

export interface TestBroker extends AsyncDisposable {
  readonly directory: TestDirectory;
  readonly config: BrokerConfig;
  readonly running: RunningBroker;
  readonly errors: unknown[];
  /** Ends this broker, and starts another one on the same directory. */
  restart(): Promise<void>;
  admin(method: string, path: string, body?: unknown, as?: Who): Promise<Answer>;
  url(path: string): string;
}

/** The certificate of `edgar` has expired; nobody knows `mallory`. */
const WHO = ['alice', 'wendy', 'audrey', 'olga', 'mallory', 'bob', 'edgar'] as const;
export type Who = (typeof WHO)[number];

export interface TestBrokerOptions {
  readonly limits?: string;
  readonly now?: () => Date;
  /** Guests have TLS with the certificate of the administrators' listener. */
  readonly guestTls?: boolean;
  /** The socket of the agent by which the broker shows evidence. */
  readonly agent?: string;
  /** YAML of the default tenant beside its administrators. */
  readonly declared?: string;
}

const PEOPLE = new Map(
  WHO.map((name) => [name, testCertificate(name, name === 'edgar' ? [2024, 2026] : [2026, 2030])]),
);
export const SERVER = testCertificate('broker');

export function person(who: Who): { readonly cert: string; readonly key: string } {
  const found = PEOPLE.get(who);
  if (found === undefined) throw new TypeError(`nobody is called ${who}`);
  return found;
}

export function pinOf(who: Who): string {
  return keyPin(person(who).cert);
}

export function testYaml({
  limits = '',
  declared = '',
  guestTls = false,
  agent,
}: TestBrokerOptions = {}): string {
  const ratls = agent ? `, ratls: {listen: "127.0.0.1:0", socket: ${agent}}` : '';
  const tls = guestTls || agent ? `, tls: {cert: tls.crt, key: tls.key}${ratls}` : '';
  return `
store: broker.db
rootKey: {file: root.key}
audit: {key: audit.key, checkpointEntries: 16}
results: {key: results.key}
guests: {listen: "127.0.0.1:0"${tls}}
admin: {listen: "127.0.0.1:0", tls: {cert: tls.crt, key: tls.key}}
metrics: {listen: "127.0.0.1:0"}
simulated: {roots: roots.pem}
limits: {${limits}}
operators: {olga: {key: ${pinOf('olga')}}}
tenants:
  default:
    admins:
      alice: {key: ${pinOf('alice')}}
      wendy: {key: ${pinOf('wendy')}, role: writer}
      audrey: {key: ${pinOf('audrey')}, role: auditor}
      edgar: {key: ${pinOf('edgar')}}
${declared}
  other:
    admins: {bob: {key: ${pinOf('bob')}}}
`;
}

export async function startTestBroker(options: TestBrokerOptions = {}): Promise<TestBroker> {
  const directory = await testDirectory();
  for (const name of ['audit.key', 'results.key']) {
    await createSigningKeyFile(join(directory.path, name));
  }
  const files = { 'roots.pem': vector('roots.pem'), 'tls.crt': SERVER.cert, 'tls.key': SERVER.key };
  for (const [name, text] of Object.entries(files)) writeFileSync(join(directory.path, name), text);
  const text = Buffer.from(testYaml(options));
  const config = parseBrokerConfig(text, join(directory.path, 'broker.yaml'));
  const errors: unknown[] = [];
  const { now = () => NOW } = options;
  const start = () => serveBroker(config, { now, onError: (error) => errors.push(error) });
  let running = await start().catch(async (error: unknown) => {
    await directory[Symbol.asyncDispose]();
    throw error;
  });
  return {
    directory,
    config,
    errors,
    get running() {
      return running;
    },
    url: (path) => `http://127.0.0.1:${running.ports.guests}${path}`,
    restart: async () => {
      await running.close();
      running = await start();
    },
    admin: (method, path, body, as = 'alice') =>
      adminCall(running.ports.admin, method, path, body, person(as)),
    [Symbol.asyncDispose]: async () => {
      await running.close();
      await directory[Symbol.asyncDispose]();
    },
  };
}

export function adminCall(
  port: number,
  method: string,
  path: string,
  body: unknown,
  credentials: { readonly cert: string; readonly key: string },
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const options = { host: '127.0.0.1', port, method, path, agent: false, ...credentials };
    const outgoing = request({ ...options, rejectUnauthorized: false }, (incoming) => {
      const parts: Buffer[] = [];
      incoming.on('data', (part) => parts.push(part));
      incoming.on('end', () => {
        const text = Buffer.concat(parts).toString();
        const lines = text.split('\n').filter((line) => line !== '');
        const parsed = lines.map((line) => JSON.parse(line));
        const document = parsed.length > 1 ? { lines: parsed } : (parsed[0] ?? {});
        resolve({ status: incoming.statusCode ?? 0, body: document });
      });
      incoming.on('error', reject);
    });
    outgoing.on('error', reject);
    outgoing.end(body instanceof Uint8Array ? body : JSON.stringify(body));
  });
}
