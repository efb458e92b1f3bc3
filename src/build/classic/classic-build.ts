/**
 * `POST /build`: builds of clients that send their files in one archive, with the builder's own
 * lines of progress.
 *
 * @module
 */
import { Readable } from 'node:stream';
import * as z from 'zod';
import { A3sError } from '../../errors.ts';
import type { Image } from '../../images/image.ts';
import {
  canonicalName,
  familiarName,
  parseReference,
  withDefaultTag,
} from '../../oci/reference.ts';
import { parseJson } from '../../parse-json.ts';
import type { Credentials } from '../../registry/registry.ts';
import type { LoadedPolicy } from '../../trust/policy.ts';
import type { HeldBuilder } from '../held-builder.ts';
import { errorWords } from '../relay/answer-body.ts';
import { callBuilder } from '../relay/builder-api.ts';
import { readPlatforms } from '../relay/platforms.ts';
import { isProxyVariable, proxyArguments } from '../relay/proxy-arguments.ts';
import { refuseControlGroup, refuseNetworkMode } from '../relay/step-rights.ts';
import { failed } from '../relay/upgrade.ts';
import { requireResultNames } from '../result/result-names.ts';
import { BuildLines } from './build-lines.ts';

export interface ClassicRequest {
  /** As Docker has it. */
  readonly query: URLSearchParams;
  /** The client's, by the host of the registry. The builder gets none of them. */
  readonly logins: ReadonlyMap<string, Credentials>;
  readonly context: AsyncIterable<Uint8Array>;
  readonly signal: AbortSignal;
}

/** The daemon would take options from a body that is called a form, whatever the query says. */
const HEADERS = { 'content-type': 'application/x-tar' };
const MAX_WORDS = 4000;
const FALSE = ['', '0', 'no', 'false', 'none'];
/** A client that leaves does not keep names in the builder. */
const CLEAN_MS = 30_000;

/**
 * The lines of the build. What fails before the first one is thrown, and what fails later is a line
 * as well.
 *
 * @throws A3sError `unsupported-option`, `invalid-reference`; `invalid-argument` for what the
 *   builder refuses; `builder-failed`
 */
export async function* classicBuild(
  held: HeldBuilder,
  policy: LoadedPolicy,
  { query, logins, context, signal }: ClassicRequest,
): AsyncGenerator<Uint8Array> {
  const names = namesOf(query);
  requireResultNames(names.canonical);
  refuseOutputs(query);
  for (const mode of query.getAll('networkmode')) refuseNetworkMode(mode);
  for (const parent of query.getAll('cgroupparent')) refuseControlGroup(parent);
  const build = await held.begin(policy, { isClassic: true, logins, pushes: [] }, signal);
  try {
    if (isTrue(query.get('pull'))) build.pull();
    const platforms = readPlatforms(query.get('platform') ?? '');
    if (platforms.length > 0) build.aimAt(platforms);
    const answer = await callBuilder(held.builder, {
      ...{
        method: 'POST',
        path: `/build?${asked(query, held.builder.stepProxy)}`,
        headers: HEADERS,
        signal,
      },
      body: Readable.from(context, { objectMode: false }),
    });
    const status = answer.statusCode ?? 0;
    if (status !== 200) throw refused(status, await errorWords(answer, MAX_WORDS));
    const lines = new BuildLines({ quiet: isTrue(query.get('q')) });
    for await (const chunk of answer) {
      const passed = lines.read(chunk as Buffer);
      if (passed.length > 0) yield passed;
    }
    const rest = lines.end();
    if (rest.length > 0) yield rest;
    const { id } = lines;
    if (id === undefined) return;
    const image = await build.import({ digest: id, names: names.canonical }, signal);
    for (const held of lines.of(image.id)) yield line(held);
    for (const name of named(image, names.familiar)) {
      yield line({ stream: `Successfully tagged ${name}\n` });
    }
  } finally {
    build.end();
    await held.tidy(AbortSignal.timeout(CLEAN_MS));
  }
}

function named(image: Image, familiar: readonly string[]): readonly string[] {
  return familiar.filter((name) => image.tags.includes(name));
}

/** One line of the answer. */
export function line(document: unknown): Buffer {
  return Buffer.from(`${JSON.stringify(document)}\r\n`);
}

function namesOf(query: URLSearchParams) {
  const references = query
    .getAll('t')
    .filter((name) => name !== '')
    .map((name) => withDefaultTag(parseReference(name)));
  return {
    canonical: references.map(canonicalName),
    familiar: references.map(familiarName),
  };
}

/**
 * The query for the builder: without names, with each image asked for, with the proxy of steps, and
 * without containers that stay and hold images.
 */
function asked(query: URLSearchParams, stepProxy: string): URLSearchParams {
  const asked = new URLSearchParams(query);
  asked.delete('t');
  for (const name of ['pull', 'rm', 'forcerm']) asked.set(name, '1');
  asked.set('buildargs', argumentsOf(query.get('buildargs') ?? '', stepProxy));
  return asked;
}

const Arguments = z.record(z.string(), z.string().nullable()).nullable();

/** The client's, with the proxy of steps in place of one that no step could reach. */
function argumentsOf(text: string, stepProxy: string): string {
  const given = text === '' ? {} : Arguments.safeParse(parseJson(text)).data;
  if (given === undefined) {
    throw new A3sError('invalid-argument', 'Cannot build: its build arguments are no JSON object', {
      remedy: 'Write buildargs as {"NAME": "VALUE"}.',
    });
  }
  const others = Object.entries(given ?? {}).filter(([name]) => !isProxyVariable(name));
  return JSON.stringify({ ...Object.fromEntries(others), ...proxyArguments(stepProxy) });
}

function refuseOutputs(query: URLSearchParams): void {
  const outputs = query.get('outputs') ?? '';
  if (outputs === '' || outputs === '[]' || outputs === 'null') return;
  throw new A3sError('unsupported-option', 'Cannot build with outputs over this route', {
    remedy: 'Use docker buildx build --output.',
  });
}

function isTrue(text: string | null): boolean {
  return !FALSE.includes((text ?? '').trim().toLowerCase());
}

function refused(status: number, text: string): A3sError {
  if (status !== 400) return failed(`it answers ${status}: ${text}`);
  return new A3sError('invalid-argument', messageOf(text));
}

function messageOf(text: string): string {
  try {
    const { message } = JSON.parse(text) as { message?: unknown };
    return typeof message === 'string' ? message : text;
  } catch {
    return text;
  }
}
