/**
 * What a builder writes to registries: the results and caches of builds that are under way, to the
 * repositories that their clients named, with the logins that their sessions give.
 *
 * Of the distribution specification, a builder needs an upload in one request, and the questions
 * whether a blob or a tag is there. The bytes go on as they come: nothing is kept here.
 *
 * @module
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Digest } from '../../oci/digest.ts';
import { digestOf, isDigest } from '../../oci/digest.ts';
import { canonicalRepository, familiarName, type Reference } from '../../oci/reference.ts';
import type { Repository } from '../../registry/registry.ts';
import type { BuildHost } from '../host.ts';
import type { PushTarget } from '../relay/pushes.ts';
import type { Asker } from './base-images.ts';
import { Refusal } from './refusal.ts';
import { type Target, UPLOAD } from './target.ts';

const VERSION = { 'docker-distribution-api-version': 'registry/2.0' };
const MAX_MANIFEST = 4 * 1024 * 1024;
/** For a part of a body: it holds a connection to the registry. */
const BODY_MS = 120_000;

/** A request of a push. */
export type Push =
  | { readonly what: 'begin'; readonly reference: Reference; readonly path: string }
  | { readonly what: 'blob'; readonly reference: Reference; readonly digest: Digest }
  | {
      readonly what: 'manifest';
      readonly reference: Reference;
      /** Tags, or the digest. */
      readonly names: readonly string[];
    }
  | { readonly what: 'has-blob'; readonly reference: Reference; readonly digest: Digest }
  | { readonly what: 'has-tag'; readonly reference: Reference; readonly tag: string };

/**
 * Undefined for another request.
 *
 * @throws Refusal for a write that no client of a build has asked for
 */
export function pushOf(
  { method }: Pick<IncomingMessage, 'method'>,
  url: URL,
  target: Target,
  targets: readonly PushTarget[],
): Push | undefined {
  if (!('reference' in target)) return undefined;
  const { reference } = target;
  const repository = canonicalRepository(reference);
  const asked = targets.filter((one) => one.repository === repository);
  const isWrite = method === 'POST' || method === 'PUT';
  if (asked.length === 0) {
    if (!isWrite) return undefined;
    throw new Refusal(403, `no client of a build has named ${familiarName(reference)} to push to`);
  }
  const { kind } = target;
  if (kind === 'uploads' && method === 'POST') {
    return { what: 'begin', reference, path: url.pathname };
  }
  if (kind === 'upload' && method === 'PUT') {
    const digest = url.searchParams.get('digest') ?? '';
    if (!isDigest(digest)) throw new Refusal(400, 'an upload needs the digest of its blob');
    return { what: 'blob', reference, digest };
  }
  if (kind === 'blob' && method === 'HEAD') {
    return { what: 'has-blob', reference, digest: target.reference.digest };
  }
  if (kind !== 'manifest') return undefined;
  const { digest, tag } = reference;
  const tagged = asked.filter((one) => one.tag === tag);
  if (method === 'HEAD' && tag !== undefined && tagged.length > 0) {
    return { what: 'has-tag', reference, tag };
  }
  if (method !== 'PUT') return undefined;
  if (digest !== undefined) return { what: 'manifest', reference, names: [digest] };
  if (tagged.length > 0) {
    return { what: 'manifest', reference, names: tagged.flatMap(({ tags }) => tags) };
  }
  throw new Refusal(403, `no client of a build has named ${familiarName(reference)} to push`);
}

export interface AskedPush {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly asker: Pick<Asker, 'credentials' | 'signal'>;
  readonly host: Pick<BuildHost, 'registry' | 'log'>;
}

/** @throws Refusal, A3sError `registry-…` */
export async function answerPush(push: Push, asked: AskedPush): Promise<void> {
  const { response, asker, host } = asked;
  const { credentials, signal } = asker;
  const repository = host.registry.repository(canonicalRepository(push.reference), {
    ...{ access: 'push', namedByOthers: true, credentials, signal },
  });
  const answer = (status: number, headers: Readonly<Record<string, string | number>>): void => {
    response.writeHead(status, { ...VERSION, 'content-length': 0, ...headers });
    response.end();
  };
  if (push.what === 'begin') {
    answer(202, { location: push.path.replace(/\/?$/, `/${UPLOAD}`) });
  } else if (push.what === 'has-blob') {
    const { digest } = push;
    if (!(await repository.hasBlob(digest))) throw new Refusal(404, `${digest} is not there`);
    answer(200, { 'docker-content-digest': digest });
  } else if (push.what === 'has-tag') {
    const found = await repository.describe(push.tag);
    if (found === undefined) throw new Refusal(404, `${push.tag} is not there`);
    const { digest, mediaType, size } = found;
    const headers = { 'docker-content-digest': digest, 'content-type': mediaType };
    answer(200, { ...headers, 'content-length': size });
  } else if (push.what === 'blob') {
    await putBlob(push.digest, repository, asked);
    answer(201, { 'docker-content-digest': push.digest, location: `/${push.digest}` });
  } else {
    const digest = await putManifest(push, repository, asked);
    answer(201, { 'docker-content-digest': digest, location: `/${digest}` });
  }
}

async function putBlob(
  digest: Digest,
  repository: Repository,
  { request, host }: AskedPush,
): Promise<void> {
  const size = Number(request.headers['content-length'] ?? Number.NaN);
  if (!Number.isSafeInteger(size) || size < 0) {
    throw new Refusal(411, 'an upload needs the length of its blob');
  }
  let isOpen = false;
  const outcome = await repository.putBlob({ digest, size }, () => {
    // A builder sends it again by itself after this status.
    if (isOpen)
      throw new Refusal(503, `the registry has not taken all of ${digest}: send it again`);
    isOpen = true;
    return bodyOf(request);
  });
  host.log.info('a build pushed a blob', { repository: repository.name, digest, size, outcome });
}

async function putManifest(
  { reference, names }: Extract<Push, { what: 'manifest' }>,
  repository: Repository,
  { request, host }: AskedPush,
): Promise<Digest> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of bodyOf(request)) {
    size += chunk.length;
    if (size > MAX_MANIFEST) throw new Refusal(413, `a manifest has at most ${MAX_MANIFEST} bytes`);
    chunks.push(chunk);
  }
  const bytes = Buffer.concat(chunks);
  const digest = digestOf(bytes);
  if (reference.digest !== undefined && reference.digest !== digest) {
    throw new Refusal(400, `the manifest has the digest ${digest}`);
  }
  const type = request.headers['content-type'] ?? '';
  for (const name of names) {
    const stored = await repository.putManifest(name, type, bytes);
    if (stored !== digest) throw new Refusal(502, `the registry stored ${stored}`);
    host.log.info('a build pushed a manifest', { repository: repository.name, name, digest });
  }
  return digest;
}

/** The body, which is left to others where it is not read to its end. */
async function* bodyOf(request: IncomingMessage, ms = BODY_MS): AsyncGenerator<Uint8Array> {
  const chunks = request.iterator({ destroyOnReturn: false });
  try {
    for (;;) {
      const timer = setTimeout(() => request.destroy(), ms);
      const next = await chunks.next().finally(() => clearTimeout(timer));
      if (next.done === true) return;
      yield next.value as Uint8Array;
    }
  } finally {
    await chunks.return?.();
  }
}
