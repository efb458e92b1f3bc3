/**
 * `POST /images/{name}/push`: sends an image to its registry.
 *
 * @module
 */

import * as z from 'zod';
import type { Runtime } from '../../../boxes/runtime.ts';
import { type PushRequest, pushImage } from '../../../distribution/push.ts';
import { ProgressLine } from '../../../docker-api/images/progress.ts';
import { A3sError } from '../../../errors.ts';
import {
  canonicalRepository,
  familiarName,
  familiarRepository,
  parseReference,
  type Reference,
} from '../../../oci/reference.ts';
import { stream } from '../../http/answer.ts';
import { failureOf } from '../../http/failure.ts';
import { documentsOf } from '../../http/replies.ts';
import { type Route, route } from '../../http/route.ts';
import { flag, noBody, query } from '../query.ts';
import { pushLine } from './layer-lines.ts';
import { failureLine, ProgressLines } from './progress-lines.ts';
import { registryAuth } from './registry-auth.ts';

const access = 'owner';

type PushHost = Pick<Runtime, 'images' | 'registry' | 'events' | 'log' | 'shutdown'>;

export const PUSH_ROUTES: readonly Route<PushHost>[] = [
  route('POST', '/images/:name{.+}/push', {
    access,
    summary: 'Push an image to its registry, with progress',
    answers: { 200: documentsOf(ProgressLine) },
    query: query({ tag: z.string().max(256).default(''), signatures: flag }),
    body: noBody,
    handler: async ({ params, query, headers, signal }, rt) => {
      const credentials = registryAuth(headers);
      const references = await toPush(rt, params['name'] ?? '', query.tag);
      const signals = AbortSignal.any([signal, rt.shutdown]);
      const requests = references.map((reference) => ({
        reference,
        credentials,
        signatures: query.signatures,
        signal: signals,
      }));
      return stream(push(rt, requests), 'application/json');
    },
  }),
];

/** The tag that is named, or every tag of the repository. @throws A3sError `no-such-image` */
async function toPush(
  { images }: Pick<Runtime, 'images'>,
  name: string,
  tag: string,
): Promise<readonly Reference[]> {
  const named = parseReference(tag === '' ? name : `${name}:${tag}`);
  if (named.digest !== undefined) {
    throw new A3sError('invalid-argument', `Cannot push ${familiarName(named)}: it is a digest`, {
      remedy: 'Give the image a tag with a3s-box tag, and push that.',
    });
  }
  if (named.tag !== undefined) {
    await images.resolve(familiarName(named));
    return [named];
  }
  const repository = canonicalRepository(named);
  const tags = (await images.list())
    .flatMap((image) => image.tags.map(parseReference))
    .filter((each) => canonicalRepository(each) === repository);
  if (tags.length > 0) return tags;
  const missing = familiarRepository(named);
  throw new A3sError('no-such-image', `Cannot push ${missing}: no image here has that name`, {
    remedy: 'Give an image that name with a3s-box tag; a3s-box images lists what there is.',
  });
}

/**
 * Lines of progress. The status is sent before the registry is asked, so a failure is a line as
 * well.
 */
async function* push(
  rt: PushHost,
  requests: readonly (PushRequest & { readonly signal: AbortSignal })[],
): AsyncGenerator<Uint8Array> {
  const lines = new ProgressLines();
  const abandoned = new AbortController();
  const work = pushAll(rt, requests, abandoned.signal, lines)
    .catch((error: unknown) => {
      const failure = failureOf(error);
      const wasLeft = abandoned.signal.aborted || requests.some(({ signal }) => signal.aborted);
      if (failure.unexpected && !wasLeft) rt.log.error('an image could not be pushed', error);
      lines.push(failureLine(failure));
    })
    .finally(() => lines.end());
  try {
    yield* lines;
  } finally {
    abandoned.abort(new A3sError('registry-failed', 'The push was abandoned by its client'));
    await work;
  }
}

async function pushAll(
  rt: PushHost,
  requests: readonly (PushRequest & { readonly signal: AbortSignal })[],
  abandoned: AbortSignal,
  lines: ProgressLines,
): Promise<void> {
  const [first] = requests;
  if (first === undefined) return;
  const repository = canonicalRepository(first.reference);
  lines.push({ status: `The push refers to repository [${repository}]` });
  for (const request of requests) {
    const name = familiarName(request.reference);
    const { tag, digest, size } = await pushImage(rt, {
      ...request,
      signal: AbortSignal.any([abandoned, request.signal]),
      progress: (event) => {
        const line = pushLine(event);
        if (event.state === 'pushing') lines.position(event.layer, line);
        else lines.push(line);
      },
    });
    rt.events.publish('image', 'push', name, { name });
    lines.push({ status: `${tag}: digest: ${digest} size: ${size}` });
    lines.push({ progressDetail: {}, aux: { Tag: tag, Digest: digest, Size: size } });
  }
}
