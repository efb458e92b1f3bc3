/**
 * Answers the requests of a builder: those to registries out of permitted images, those for other
 * files by a request of the control server's own.
 *
 * @module
 */
import { createHash } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { A3sError } from '../../errors.ts';
import type { BaseImage } from '../../images/image.ts';
import type { Digest } from '../../oci/digest.ts';
import type { Platform } from '../../oci/platform.ts';
import { canonicalRepository, type Reference } from '../../oci/reference.ts';
import { bareHost } from '../../registry/hosts/addresses.ts';
import type { Credentials } from '../../registry/registry.ts';
import { endToEnd } from '../../tls-proxy/headers.ts';
import type { LoadedPolicy } from '../../trust/policy.ts';
import type { BuildHost } from '../host.ts';
import { refusesFiles } from '../policy.ts';
import type { PushTarget } from '../relay/pushes.ts';
import type { Asker, BaseImages } from './base-images.ts';
import { bodyOfGitFetch, isGitFetch } from './git-request.ts';
import { answerPush, pushOf } from './push-requests.ts';
import { changedMeanwhile, Refusal, refusalOf, sendRefusal } from './refusal.ts';
import { Refusals } from './refusals.ts';
import { targetOf } from './target.ts';

/** Headers that a request of this host's own has anew, or that name whom it leads through. */
const OWN = /^(?:host|content-length|accept-encoding|via|x-forwarded-.*)$/;

const VERSION = { 'docker-distribution-api-version': 'registry/2.0' };

/** The builds for which a builder makes its requests. */
export interface BuildsUnderWay {
  /** Whether one of them wants images from their registries. */
  pulls(): boolean;
  /** Where their clients have them write. */
  pushes(): readonly PushTarget[];
  /** What they are for. */
  platforms(): readonly Platform[];
  /** A client's login for a registry, which it gave with the build and not over a session. */
  login(domain: string): Credentials | undefined;
  /** Digest of the policy by which they began; undefined where there is none. */
  policy(): string | undefined;
  /** An image that they may use. */
  used(image: BaseImage): void;
}

export class ProxyAnswers {
  readonly #host: BuildHost;
  readonly #images: BaseImages;
  readonly #builds: BuildsUnderWay;
  readonly #refused = new Refusals();
  readonly #cut = new Refusals();

  constructor(host: BuildHost, images: BaseImages, builds: BuildsUnderWay) {
    this.#host = host;
    this.#images = images;
    this.#builds = builds;
  }

  /** Why requests for files were refused since a time, in milliseconds of `performance.now()`. */
  refusedSince(time: number): readonly string[] {
    return this.#refused.since(time);
  }

  /** Why blobs that were begun have no end, since such a time. */
  cutSince(time: number): readonly string[] {
    return this.#cut.since(time);
  }

  /** Never rejects. @param left aborts when the builder has ended its connection */
  async answer(
    request: IncomingMessage,
    response: ServerResponse,
    url: URL,
    left: AbortSignal,
  ): Promise<void> {
    const signal = AbortSignal.any([left, this.#host.shutdown]);
    try {
      await this.#answer(request, response, url, signal);
    } catch (error) {
      if (response.headersSent || left.aborted) {
        response.destroy();
        return;
      }
      this.#refuse(request, response, url, error);
    }
  }

  async #answer(
    request: IncomingMessage,
    response: ServerResponse,
    url: URL,
    signal: AbortSignal,
  ): Promise<void> {
    const target = targetOf(url);
    const isHead = request.method === 'HEAD';
    const isRead = request.method === 'GET' || isHead;
    const push = pushOf(request, url, target, this.#builds.pushes());
    if (
      push === undefined &&
      !isRead &&
      !(target.kind === 'download' && isGitFetch(request, url))
    ) {
      throw new Refusal(405, 'a build may read from other hosts, and not write to them');
    }
    const domain = 'reference' in target ? target.reference.domain : undefined;
    const credentials =
      credentialsOf(request.headers.authorization) ??
      (domain === undefined ? undefined : this.#builds.login(domain));
    const policy = await this.#policy();
    const asker: Asker = {
      ...{ credentials, signal, policy },
      ...{ pulls: this.#builds.pulls(), platforms: this.#builds.platforms() },
      used: (image) => this.#builds.used(image),
    };
    if (push !== undefined) {
      await answerPush(push, { request, response, asker, host: this.#host });
    } else if (target.kind === 'registry') {
      response.writeHead(200, { ...VERSION, 'content-type': 'application/json' });
      response.end('{}');
    } else if (target.kind === 'manifest') {
      const { digest, mediaType, bytes } = await this.#images.manifest(target.reference, asker);
      response.writeHead(200, {
        ...VERSION,
        ...{ 'content-type': mediaType, 'docker-content-digest': digest },
        'content-length': bytes.length,
      });
      response.end(isHead ? undefined : bytes);
    } else if (target.kind === 'blob') {
      await this.#sendBlob(response, target.reference, asker, isHead);
    } else if (target.kind !== 'download') {
      throw new Refusal(404, 'builds read manifests and blobs of registries, and nothing else');
    } else await this.#download(request, response, url, asker);
  }

  /** The standing policy, as long as it is that of the builds. */
  async #policy(): Promise<LoadedPolicy> {
    const policy = await this.#host.trust.standing();
    const begun = this.#builds.policy();
    if (begun === undefined) throw new Refusal(403, 'no build is under way');
    if (begun !== policy.digest) throw changedMeanwhile();
    return policy;
  }

  async #sendBlob(
    response: ServerResponse,
    reference: Reference & { readonly digest: Digest },
    asker: Asker,
    isHead: boolean,
  ): Promise<void> {
    const { digest } = reference;
    const { credentials, signal } = asker;
    const { size, image } = this.#images.blob(reference, asker);
    const begin = (): void => {
      response.writeHead(200, {
        ...VERSION,
        ...{ 'content-type': 'application/octet-stream', 'docker-content-digest': digest },
        'content-length': size,
      });
    };
    if (isHead) {
      begin();
      response.end();
      return;
    }
    if (image !== undefined) {
      await this.#host.images.content(image, async ({ blobs }) => {
        const blob = blobs.find((each) => each.digest === digest);
        if (blob === undefined)
          throw new Refusal(404, `${digest} is not in the image store any more`);
        begin();
        await pipeline(blob.open(0), response, { signal });
      });
      return;
    }
    const repository = this.#host.registry.repository(canonicalRepository(reference), {
      ...{ access: 'pull', namedByOthers: true, credentials, signal },
    });
    const chunks = repository.blob({ digest, size })[Symbol.asyncIterator]();
    // What fails before the first byte can still be an answer.
    const first = await chunks.next();
    begin();
    const all = rest(first, chunks);
    try {
      await pipeline(Readable.from(all, { objectMode: false }), response, { signal });
    } catch (error) {
      if (!(error instanceof A3sError) || signal.aborted) throw error;
      // The builder sees no more than a connection that is cut.
      this.#cut.add(error.message);
      this.#host.log.info('a build did not get all of a blob', { digest, reason: error.message });
      throw error;
    }
  }

  async #download(
    request: IncomingMessage,
    response: ServerResponse,
    url: URL,
    { policy, signal }: Asker,
  ): Promise<void> {
    const reason = refusesFiles(policy);
    if (reason !== undefined) {
      throw new Refusal(
        403,
        `${reason}, and a file of another host has neither name nor signature: put the file into the build context`,
      );
    }
    const isFetch = isGitFetch(request, url);
    const method = isFetch ? 'POST' : request.method === 'HEAD' ? 'HEAD' : 'GET';
    const host = bareHost(url.hostname);
    const port = Number(url.port || (url.protocol === 'https:' ? 443 : 80));
    const egress = await this.#host.egress.standing();
    const answer = await this.#host.downloads.send({
      ...{ method, url, signal, addresses: egress.rule({ host, port }) },
      headers: passedOn(request.headers),
      body: isFetch ? await bodyOfGitFetch(request, signal) : undefined,
    });
    response.writeHead(answer.status, passedOn(answer.headers));
    const hash = createHash('sha256');
    let size = 0;
    const counted = async function* (): AsyncGenerator<Uint8Array> {
      for await (const chunk of answer.body) {
        hash.update(chunk);
        size += chunk.length;
        yield chunk;
      }
    };
    await pipeline(Readable.from(counted(), { objectMode: false }), response, { signal });
    this.#host.log.info('a build downloaded a file', {
      ...{ url: `${url.origin}${url.pathname}`, status: answer.status },
      ...{ digest: `sha256:${hash.digest('hex')}`, size },
    });
  }

  #refuse(request: IncomingMessage, response: ServerResponse, url: URL, error: unknown): void {
    const refusal = refusalOf(error);
    const shown = `${request.method} ${url.origin}${url.pathname}`;
    if (!url.pathname.startsWith('/v2/')) this.#refused.add(`${shown}: ${refusal.message}`);
    if (error instanceof Refusal || error instanceof A3sError) {
      this.#host.log.info('a request of a build was refused', {
        ...{ request: shown, status: refusal.status, reason: refusal.message },
      });
    } else this.#host.log.error('a request of a build failed', error, { request: shown });
    sendRefusal(response, refusal, isUnauthorized(error) ? challenge(url) : {});
  }
}

/**
 * The client's credentials for the registry of this request, which its session gave to the builder.
 * They go to that registry alone: its tokens are fetched here.
 */
function credentialsOf(header: string | undefined): Credentials | undefined {
  const [, encoded] = /^Basic ([A-Za-z0-9+/=]+)$/i.exec(header ?? '') ?? [];
  if (encoded === undefined) return undefined;
  const text = Buffer.from(encoded, 'base64').toString();
  const colon = text.indexOf(':');
  if (colon < 0) return undefined;
  return { username: text.slice(0, colon), password: text.slice(colon + 1) };
}

function isUnauthorized(error: unknown): boolean {
  return (
    error instanceof A3sError &&
    (error.code === 'registry-unauthorized' || error.code === 'registry-denied')
  );
}

/** Has the builder ask its client for credentials. */
function challenge(url: URL): Readonly<Record<string, string>> {
  return { 'www-authenticate': `Basic realm="${url.host}"` };
}

function passedOn(headers: NodeJS.Dict<string | string[]>): Record<string, string> {
  const kept = Object.entries(endToEnd(headers)).filter(([name]) => !OWN.test(name));
  return Object.fromEntries(kept.map(([name, value]) => [name, [value].flat().join(', ')]));
}

async function* rest(
  first: IteratorResult<Uint8Array>,
  chunks: AsyncIterator<Uint8Array>,
): AsyncGenerator<Uint8Array> {
  try {
    for (let each = first; each.done !== true; each = await chunks.next()) yield each.value;
  } finally {
    await chunks.return?.();
  }
}
