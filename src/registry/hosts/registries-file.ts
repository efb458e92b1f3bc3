/**
 * `registries.yaml`: the configuration of single registries.
 *
 * ```yaml
 * registries:
 *   docker.io:
 *     mirrors: ["https://mirror.example", "https://harbor.example/hub"]
 *   "registry.example:5000":
 *     insecure: true
 * ```
 *
 * A path in a mirror's URL is put before the names of its repositories: `hub/library/redis`.
 *
 * @module
 */
import { MAX_POLICY_DOCUMENT, PolicyError, readPolicyDocument } from '@a3s-box/policies/document';
import * as z from 'zod';
import { A3sError } from '../../errors.ts';
import { narrow } from '../../narrow.ts';
import { isDomain, isLoopback } from './addresses.ts';
import { readHostFile } from './host-file.ts';

export interface RegistrySettings {
  /** Asked first when pulling, in this order. */
  readonly mirrors: readonly URL[];
  /** Allows plain http, and TLS with any certificate. */
  readonly insecure: boolean;
}

/** By domain, as the names of images have it. */
export type Registries = ReadonlyMap<string, RegistrySettings>;

const MAX_REGISTRIES = 1000;
const MAX_MIRRORS = 8;
const PREFIX = /^\/(?:[a-z0-9]+(?:[._-]+[a-z0-9]+)*(?:\/(?!$)|\/?$))*$/;

const FILE = z.strictObject({
  registries: z.record(
    z.string().max(300),
    z.strictObject({
      mirrors: z.array(z.string().max(1000)).max(MAX_MIRRORS).optional(),
      insecure: z.boolean().optional(),
    }),
  ),
});

/**
 * Reads the first of these files that is there.
 *
 * @throws A3sError `invalid-argument` for an existing file with invalid content
 */
export async function readRegistries(paths: readonly string[]): Promise<Registries> {
  for (const path of paths) {
    const text = await read(path);
    if (text !== undefined) return parseRegistries(text, path);
  }
  return new Map();
}

/** @param path for messages */
export function parseRegistries(text: Uint8Array, path: string): Registries {
  let document: unknown;
  try {
    document = readPolicyDocument(text);
  } catch (error) {
    if (error instanceof PolicyError) throw unusable(path, faultsOf(error), error);
    throw error;
  }
  const parsed = narrow(FILE, document);
  if (!parsed.success) {
    const faults = parsed.error.issues.map(
      ({ path: at, message }) => `${at.map(String).join('.') || 'document'}: ${message}`,
    );
    throw unusable(path, faults.slice(0, 5).join('; ').slice(0, 1000));
  }
  const entries = Object.entries(parsed.data.registries);
  if (entries.length > MAX_REGISTRIES) {
    throw unusable(path, `it names more than ${MAX_REGISTRIES} registries`);
  }
  const insecure = new Set(entries.filter(([, { insecure }]) => insecure).map(([name]) => name));
  const registries = new Map<string, RegistrySettings>();
  for (const [name, entry] of entries) {
    if (!isDomain(name)) {
      throw unusable(
        path,
        `registries.${name.slice(0, 300)}: it is not the HOST[:PORT] of a registry`,
      );
    }
    const mirrors = (entry.mirrors ?? []).map((mirror) => {
      const url = parseMirror(mirror, insecure);
      if (typeof url !== 'string') return url;
      throw unusable(path, `registries.${name}.mirrors: ${JSON.stringify(mirror)}: ${url}`);
    });
    registries.set(name, { mirrors, insecure: entry.insecure ?? false });
  }
  return registries;
}

/** The faults of the YAML. It is no policy, though the rules are the same. */
function faultsOf({ problems }: PolicyError): string {
  const faults = problems.map(({ line, column, message }) =>
    line === undefined ? message : `line ${line}, column ${column}: ${message}`,
  );
  return faults.join('; ').slice(0, 1000);
}

/** The mirror, or the reason why there is none. */
function parseMirror(text: string, insecure: ReadonlySet<string>): URL | string {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || !['http:', 'https:'].includes(url.protocol)) {
    return 'a mirror is written as https://HOST[:PORT][/PREFIX]';
  }
  if (url.username !== '' || url.password !== '') return 'no user may stand in it';
  if (url.search !== '' || url.hash !== '') return 'no query may stand in it';
  if (!PREFIX.test(url.pathname))
    return 'its path is not the beginning of the name of a repository';
  if (url.protocol === 'http:' && !isLoopback(url) && !insecure.has(url.host)) {
    return `plain http is only for this machine, and for hosts that are here with "insecure: true"`;
  }
  return url;
}

async function read(path: string): Promise<Uint8Array | undefined> {
  try {
    return await readHostFile(path, MAX_POLICY_DOCUMENT);
  } catch (error) {
    throw unusable(path, error instanceof Error ? error.message : String(error), error);
  }
}

function unusable(path: string, why: string, cause?: unknown): A3sError {
  return new A3sError('invalid-argument', `Cannot use ${path}: ${why}`, {
    remedy: 'Put it right; nothing is fetched from a registry before.',
    cause,
  });
}
