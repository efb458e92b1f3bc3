/**
 * `POST /images/create`: an image from a registry, or a root filesystem from the request's body.
 *
 * @module
 */

import * as z from 'zod';
import { pullByPolicy } from '../../../boxes/policy/pull-by-policy.ts';
import type { Runtime } from '../../../boxes/runtime.ts';
import type { PullRequest } from '../../../distribution/pull.ts';
import { ProgressLine } from '../../../docker-api/images/progress.ts';
import { A3sError } from '../../../errors.ts';
import { isDigest } from '../../../oci/digest.ts';
import {
  familiarName,
  parseReference,
  type Reference,
  withDefaultTag,
} from '../../../oci/reference.ts';
import { stream } from '../../http/answer.ts';
import { failureOf } from '../../http/failure.ts';
import { documentsOf } from '../../http/replies.ts';
import { type Route, streamRoute } from '../../http/route.ts';
import { query } from '../query.ts';
import { importArchive, importQuery } from './import.ts';
import { pullLine } from './layer-lines.ts';
import { afterFirstChunk, failureLine, ProgressLines } from './progress-lines.ts';
import { registryAuth } from './registry-auth.ts';
import { imagePolicy } from './trust-query.ts';

const access = 'owner';

type PullHost = Pick<Runtime, 'images' | 'registry' | 'trust' | 'events' | 'log' | 'shutdown'>;

export const PULL_ROUTES: readonly Route<PullHost>[] = [
  streamRoute('POST', '/images/create', {
    access,
    summary: 'Pull an image, or import a root filesystem as one, with progress',
    upload: 'application/x-tar',
    answers: { 200: documentsOf(ProgressLine) },
    query: query({
      ...importQuery,
      fromImage: z.string().max(4096).default(''),
      tag: z.string().max(256).default(''),
      platform: z.string().max(128).default(''),
      imagePolicy,
    }),
    handler: async ({ query, body, headers, signal }, rt) => {
      const { fromImage, tag, platform } = query;
      if (fromImage === '') {
        return stream(importArchive(rt, body, query), 'application/json');
      }
      const request = {
        reference: referenceOf(fromImage, tag),
        platform,
        credentials: registryAuth(headers),
        signal: AbortSignal.any([signal, rt.shutdown]),
      };
      return stream(
        await afterFirstChunk(pull(rt, request, query.imagePolicy)),
        'application/json',
      );
    },
  }),
];

/**
 * Docker's clients send the tag or the digest beside the name; older clients send it in the name.
 */
function referenceOf(fromImage: string, tag: string): Reference {
  const named = parseReference(fromImage);
  if (tag === '') return withDefaultTag(named);
  return parseReference(
    isDigest(tag) ? `${withoutDigest(named)}@${tag}` : `${withoutBoth(named)}:${tag}`,
  );
}

function withoutDigest(reference: Reference): string {
  return familiarName({ ...reference, digest: undefined });
}

function withoutBoth(reference: Reference): string {
  return familiarName({ ...reference, tag: undefined, digest: undefined });
}

/**
 * Lines of progress. What fails before the first of them is thrown, and what fails after it is a
 * line as well.
 */
async function* pull(
  rt: PullHost,
  request: PullRequest,
  policyId: string | undefined,
): AsyncGenerator<Uint8Array> {
  const lines = new ProgressLines();
  const abandoned = new AbortController();
  const signals = [abandoned.signal, ...(request.signal === undefined ? [] : [request.signal])];
  const failures: unknown[] = [];
  const work = run(rt, { ...request, signal: AbortSignal.any(signals) }, policyId, lines)
    .catch((error: unknown) => {
      const failure = failureOf(error);
      const wasLeft = signals.some(({ aborted }) => aborted);
      if (lines.isEmpty) return void failures.push(error);
      if (failure.unexpected && !wasLeft) rt.log.error('an image could not be pulled', error);
      lines.push(failureLine(failure));
    })
    .finally(() => lines.end());
  try {
    yield* lines;
    for (const failure of failures) throw failure;
  } finally {
    // Without a reader the image is not wanted any more.
    abandoned.abort(new A3sError('registry-failed', 'The pull was abandoned by its client'));
    await work;
  }
}

async function run(
  rt: PullHost,
  request: PullRequest,
  policyId: string | undefined,
  lines: ProgressLines,
): Promise<void> {
  const { reference } = request;
  const progress: PullRequest['progress'] = (event) => {
    const line = pullLine(event, reference.path, reference.digest ?? reference.tag ?? '');
    if (event.state === 'downloading') lines.position(event.layer, line);
    else lines.push(line);
  };
  const pulled = await pullByPolicy(rt, { ...request, progress }, policyId);
  const { image, digest, decision, upToDate } = pulled;
  lines.push({ status: `Digest: ${digest}` });
  lines.push({ status: `Trust: ${decision.reason}` });
  lines.push({
    status: upToDate
      ? `Status: Image is up to date for ${familiarName(reference)}`
      : `Status: Downloaded newer image for ${familiarName(reference)}`,
  });
  lines.push({ aux: { ID: image.id, Digest: digest, Trust: decision } });
}
