/**
 * `broker.yaml`: all that a broker has to know, and what it permits without a command.
 *
 * @module
 */
import { readFile } from 'node:fs/promises';
import { dirname, isAbsolute, join, resolve } from 'node:path';
import { MAX_POLICY_DOCUMENT, PolicyError, readPolicyDocument } from '@a3s-box/policies/document';
import * as z from 'zod';
import { A3sError } from '../../errors.ts';
import { narrow } from '../../narrow.ts';
import { logHeadPath } from '../audit/log-head.ts';
import type { ListenAddress } from '../http/listener.ts';
import { RATE_LIMITS, type RateLimits } from '../http/rate-limit.ts';
import { type RootKeyPlace, rootKeyFile } from '../keys/open-root-keys.ts';
import { parseGrant, parseReleasePolicy } from '../record/documents.ts';
import { isName } from '../record/resource-path.ts';
import { QUOTAS, type Quotas } from '../record/tenant-quotas.ts';
import type { StorePlace } from '../store/open-store.ts';

export const ROLES = ['admin', 'writer', 'auditor'] as const;
export type Role = (typeof ROLES)[number];

export interface TlsFiles {
  readonly cert: string;
  readonly key: string;
}

export interface RatlsPlace {
  readonly listen: ListenAddress;
  /** The socket of the agent. */
  readonly socket: string;
}

export interface TenantConfig {
  /** Pin of the key → who has it. */
  readonly admins: ReadonlyMap<string, { readonly name: string; readonly role: Role }>;
  /** Name → document, valid. */
  readonly policies: ReadonlyMap<string, unknown>;
  readonly grants: ReadonlyMap<string, unknown>;
}

export interface BrokerConfig {
  readonly store: StorePlace;
  readonly rootKey: RootKeyPlace;
  readonly auditKey: string;
  /** The file that names the end of the audit log, outside of the store. */
  readonly auditHead: string;
  readonly checkpointEntries: number;
  /** The key that signs attestation results; absent: guests get none. */
  readonly resultsKey?: string | undefined;
  /** Without TLS on an address of this host alone, or where the file says so. */
  readonly guests: {
    readonly listen: ListenAddress;
    readonly tls?: TlsFiles | undefined;
    /** Where the broker, as a confidential box, shows its evidence too. */
    readonly ratls?: RatlsPlace | undefined;
  };
  readonly admin: { readonly listen: ListenAddress; readonly tls: TlsFiles };
  readonly metrics?: { readonly listen: ListenAddress } | undefined;
  readonly endorsements: { readonly store: string; readonly fetch: boolean };
  readonly simulated?: { readonly roots: string; readonly crl?: string | undefined } | undefined;
  readonly rateLimits: RateLimits;
  readonly quotas: Quotas;
  /** Pin of the key → name. */
  readonly operators: ReadonlyMap<string, string>;
  readonly tenants: ReadonlyMap<string, TenantConfig>;
}

const file = z.string().min(1).max(4096);
const pin = z.string().regex(/^[0-9a-f]{64}$/, 'expected SHA-256 of a public key, in hexadecimal');
const names = z.string().refine(isName, 'expected up to 63 lower-case letters, digits and dashes');
const address = z
  .string()
  .regex(/^(\[[0-9a-f:]+\]|[0-9A-Za-z.-]+):\d{1,5}$/, 'expected HOST:PORT')
  .transform((text): ListenAddress => {
    const at = text.lastIndexOf(':');
    return { host: text.slice(0, at).replaceAll(/[[\]]/g, ''), port: Number(text.slice(at + 1)) };
  })
  .refine(({ port }) => port <= 65_535, 'expected HOST:PORT');
const isLoopback = (host: string) => host === '::1' || /^127(\.\d{1,3}){3}$/.test(host);
const tls = z.strictObject({ cert: file, key: file });
const postgresql = z
  .strictObject({
    host: z
      .string()
      .regex(/^(\/[^\0]+|[0-9A-Za-z.:-]+)$/, 'expected a host or an absolute directory'),
    port: z._default(z.int().min(1).max(65_535), 5432),
    database: z.string().min(1).max(63),
    user: z.string().min(1).max(63),
    passwordFile: z.optional(file),
    tls: z.optional(z.strictObject({ ca: file })),
    insecureWithoutTls: z._default(z.boolean(), false),
  })
  .refine(
    ({ host, tls: files, insecureWithoutTls }) =>
      files !== undefined || insecureWithoutTls || host.startsWith('/') || isLoopback(host),
    'expected tls: without it anybody on the network can change what the broker reads; ' +
      'insecureWithoutTls: true accepts that',
  );
const label = z.string().min(1).max(32);
const pkcs11 = z.strictObject({ module: file, token: label, label, pinFile: file });
const agentSocket = z._default(file, '/run/a3s/agent.sock');
const derived = z.strictObject({
  references: file,
  policy: z.enum(['exact', 'upgradable']),
  socket: agentSocket,
  allowSimulated: z._default(z.boolean(), false),
});
const rate = (most: number) => z.optional(z.int().min(1).max(most));

const tenant = z.strictObject({
  admins: z._default(
    z.record(names, z.strictObject({ key: pin, role: z._default(z.enum(ROLES), 'admin') })),
    {},
  ),
  policies: z._default(z.record(names, z.unknown()), {}),
  grants: z._default(z.record(names, z.unknown()), {}),
});

const document = z.strictObject({
  store: z.union([file, z.strictObject({ postgresql })]),
  rootKey: z.union([
    z.strictObject({ file }),
    z.strictObject({ pkcs11 }),
    z.strictObject({ derived }),
  ]),
  audit: z.strictObject({
    key: file,
    checkpointEntries: z._default(z.int().min(1).max(100_000), 256),
  }),
  results: z.optional(z.strictObject({ key: file })),
  guests: z
    .strictObject({
      listen: address,
      tls: z.optional(tls),
      insecureWithoutTls: z._default(z.boolean(), false),
      ratls: z.optional(z.strictObject({ listen: address, socket: agentSocket })),
    })
    .refine(
      ({ tls: files, ratls }) => files !== undefined || ratls === undefined,
      'expected tls beside ratls: its key is what boxes know the broker by',
    )
    .refine(
      ({ listen, tls: files, insecureWithoutTls }) =>
        files !== undefined || insecureWithoutTls || isLoopback(listen.host),
      'expected tls: without it anybody on the network can answer guests in place of the broker; ' +
        'insecureWithoutTls: true accepts that',
    ),
  admin: z.strictObject({ listen: address, tls }),
  metrics: z.optional(z.strictObject({ listen: address })),
  endorsements: z._default(z.strictObject({ store: file, fetch: z._default(z.boolean(), false) }), {
    store: 'endorsements',
    fetch: false,
  }),
  simulated: z.optional(z.strictObject({ roots: file, crl: z.optional(file) })),
  limits: z._default(
    z.strictObject({
      requestsPerSecond: rate(10_000),
      burst: rate(10_000),
      requestsPerSecondOfAll: rate(100_000),
      secretsOfTenant: rate(1_000_000),
      secretBytesOfTenant: rate(2 ** 40),
    }),
    {},
  ),
  operators: z._default(z.record(names, z.strictObject({ key: pin })), {}),
  tenants: z.record(names, tenant),
});

/** @throws A3sError `broker-config`, with the place */
export async function readBrokerConfig(path: string): Promise<BrokerConfig> {
  const text = await readFile(path).catch((cause: Error) => {
    throw new A3sError('broker-config', `Cannot read ${path}: ${cause.message}`, { cause });
  });
  return parseBrokerConfig(text, path);
}

/** @throws A3sError `broker-config`, with the place */
export function parseBrokerConfig(text: Uint8Array, path: string): BrokerConfig {
  const { data, error } = narrow(document, parseYaml(text, path));
  if (data === undefined) {
    const problems = error.issues.map(({ path: place, message }) => {
      return `${path}: ${place.join('.')}: ${message}`;
    });
    throw new A3sError('broker-config', problems.join('\n'));
  }
  const base = dirname(resolve(path));
  const at = (name: string) => (isAbsolute(name) ? name : join(base, name));
  const tlsFiles = (of: TlsFiles): TlsFiles => ({ cert: at(of.cert), key: at(of.key) });
  const { guests, admin, simulated, limits } = data;
  const keys = keysOf(data, at);
  const resultsKey = data.results && at(data.results.key);
  const files = [keys.auditKey, rootKeyFile(keys.rootKey)];
  if (resultsKey !== undefined && files.includes(resultsKey)) {
    throw new A3sError('broker-config', `${path}: results.key: expected a file of its own`);
  }
  return {
    store: typeof data.store === 'string' ? at(data.store) : databaseOf(data.store.postgresql, at),
    ...keys,
    checkpointEntries: data.audit.checkpointEntries,
    ...(resultsKey && { resultsKey }),
    guests: {
      listen: guests.listen,
      ...(guests.tls && { tls: tlsFiles(guests.tls) }),
      ...(guests.ratls && { ratls: { ...guests.ratls, socket: at(guests.ratls.socket) } }),
    },
    admin: { listen: admin.listen, tls: tlsFiles(admin.tls) },
    metrics: data.metrics,
    endorsements: { ...data.endorsements, store: at(data.endorsements.store) },
    ...(simulated && {
      simulated: { roots: at(simulated.roots), crl: simulated.crl && at(simulated.crl) },
    }),
    rateLimits: {
      perSecond: limits.requestsPerSecond ?? RATE_LIMITS.perSecond,
      burst: limits.burst ?? RATE_LIMITS.burst,
      allPerSecond: limits.requestsPerSecondOfAll ?? RATE_LIMITS.allPerSecond,
    },
    quotas: {
      secrets: limits.secretsOfTenant ?? QUOTAS.secrets,
      secretBytes: limits.secretBytesOfTenant ?? QUOTAS.secretBytes,
    },
    operators: pins(`${path}: operators`, data.operators, (name) => name),
    tenants: new Map(
      Object.entries(data.tenants).map(([name, each]) => [name, tenantOf(path, name, each)]),
    ),
  };
}

/** The head is beside the file of the root key; for one on a token, beside that of the log. */
function keysOf(
  { rootKey, audit }: Pick<z.infer<typeof document>, 'rootKey' | 'audit'>,
  at: (path: string) => string,
): Pick<BrokerConfig, 'rootKey' | 'auditKey' | 'auditHead'> {
  const auditKey = at(audit.key);
  if ('file' in rootKey) {
    const path = at(rootKey.file);
    return { rootKey: path, auditKey, auditHead: logHeadPath(path) };
  }
  if ('derived' in rootKey) {
    const { references, socket, ...rest } = rootKey.derived;
    const place = { ...rest, references: at(references), socket: at(socket) };
    return { rootKey: place, auditKey, auditHead: logHeadPath(place.references) };
  }
  const { module, pinFile, ...names } = rootKey.pkcs11;
  const token = { ...names, module: at(module), pinFile: at(pinFile) };
  return { rootKey: token, auditKey, auditHead: logHeadPath(auditKey) };
}

function databaseOf(
  { passwordFile, tls: files, ...found }: z.infer<typeof postgresql>,
  at: (path: string) => string,
): StorePlace {
  const { host, port, database, user } = found;
  return {
    ...{ host, port, database, user },
    ...(passwordFile && { passwordFile: at(passwordFile) }),
    ...(files && { tls: { ca: at(files.ca) } }),
  };
}

function tenantOf(path: string, name: string, found: z.infer<typeof tenant>): TenantConfig {
  const place = `${path}: tenants.${name}`;
  const documents = (
    what: string,
    of: Readonly<Record<string, unknown>>,
    parse: (input: unknown) => unknown,
  ) => {
    for (const [each, input] of Object.entries(of)) {
      checked(`${place}.${what}.${each}`, () => parse(input));
    }
    return new Map(Object.entries(of));
  };
  const grants = documents('grants', found.grants, parseGrant);
  return {
    admins: pins(`${place}.admins`, found.admins, (admin, { role }) => ({ name: admin, role })),
    policies: documents('policies', found.policies, parseReleasePolicy),
    grants,
  };
}

/** One key is one administrator: two names would leave it open whose role counts. */
function pins<Entry extends { readonly key: string }, Value>(
  place: string,
  entries: Readonly<Record<string, Entry>>,
  value: (name: string, entry: Entry) => Value,
): ReadonlyMap<string, Value> {
  const found = new Map<string, Value>();
  for (const [name, entry] of Object.entries(entries)) {
    if (found.has(entry.key)) {
      throw new A3sError('broker-config', `${place}.${name}: another name has the same key`);
    }
    found.set(entry.key, value(name, entry));
  }
  return found;
}

function checked(place: string, parse: () => unknown): void {
  try {
    parse();
  } catch (error) {
    if (!(error instanceof A3sError)) throw error;
    throw new A3sError('broker-config', `${place}: ${error.message}`, {
      remedy: error.remedy,
      cause: error,
    });
  }
}

function parseYaml(text: Uint8Array, path: string): unknown {
  try {
    return readPolicyDocument(text);
  } catch (error) {
    if (!(error instanceof PolicyError)) throw error;
    const problems = error.problems.map(({ message, line, column }) =>
      [path, ...(line === undefined ? [] : [line, column ?? 1]), ` ${message}`].join(':'),
    );
    const bound = `at most ${MAX_POLICY_DOCUMENT} bytes of YAML`;
    throw new A3sError('broker-config', problems.join('\n'), {
      remedy: `It is ${bound}, as docs/confidential/broker.md has it.`,
      cause: error,
    });
  }
}
