/**
 * Builds of images: the connections of BuildKit's clients, and builds without BuildKit.
 *
 * @module
 */
import { Duplex } from 'node:stream';
import * as z from 'zod';
import type { ClientStream } from '../../../boxes/run/client-stream.ts';
import { line } from '../../../build/classic/classic-build.ts';
import { CachesPruned } from '../../../docker-api/prune.ts';
import { empty, json, stream } from '../../http/answer.ts';
import { failureOf } from '../../http/failure.ts';
import { bytesOf, EMPTY, HIJACK } from '../../http/replies.ts';
import { type Route, route, streamRoute } from '../../http/route.ts';
import { afterFirstChunk, failureLine } from '../images/progress-lines.ts';
import { registryConfig } from '../images/registry-auth.ts';
import { noBody, query } from '../query.ts';
import type { BuilderHost } from './builder-host.ts';
import { serveSession } from './session.ts';

const access = 'owner';

const MAX_PARAMETER = 64 * 1024;
const parameter = z.string().max(MAX_PARAMETER);
const parameters = z.union([parameter, z.array(parameter).max(128)]).optional();
const once = parameter.optional();
/** docker-py sends the name of a Dockerfile outside of the context, then its text. As in Go. */
const first = parameters.transform((values) => (Array.isArray(values) ? values[0] : values));

/** The builder reads them; this server reads the names, and whether to pull. */
const BUILD_QUERY = z.object({
  ...{ t: parameters, pull: once, remote: once, dockerfile: first, target: once },
  ...{ q: once, nocache: once, rm: once, forcerm: once, squash: once, platform: once },
  ...{ buildargs: once, labels: once, cachefrom: once, extrahosts: parameters },
  ...{ networkmode: once, shmsize: once, memory: once, memswap: once, cpushares: once },
  ...{ cpusetcpus: once, cpusetmems: once, cpuperiod: once, cpuquota: once, ulimits: once },
  ...{ cgroupparent: once, isolation: once, securityopt: once },
  ...{ version: once, session: once, buildid: once, outputs: once },
});

export const BUILDER_ROUTES: readonly Route<BuilderHost>[] = [
  streamRoute('POST', '/grpc', {
    ...({ access, query: query({}), answers: { 101: HIJACK } } as const),
    summary: 'Call the builder as a BuildKit client',
    handler: (_, rt) => ({
      ...{ kind: 'hijack' as const, multiplexed: false },
      serve: (client: ClientStream) => serveGrpc(client, rt),
    }),
  }),
  streamRoute('POST', '/session', {
    ...({ access, query: query({}), answers: { 101: HIJACK } } as const),
    summary: 'Offer the files, secrets and credentials of a build to the builder',
    handler: ({ headers }, rt) => ({
      ...{ kind: 'hijack' as const, multiplexed: false },
      serve: (client: ClientStream) => serveSession(client, headers, rt),
    }),
  }),
  streamRoute('POST', '/build', {
    access,
    summary: 'Build an image from an archive of files, with progress',
    upload: 'application/x-tar',
    answers: { 200: bytesOf('application/json') },
    query: BUILD_QUERY,
    handler: async ({ query, headers, body, signal }, rt) => {
      const request = {
        query: searchOf(query),
        // They stay here.
        logins: registryConfig(headers),
        ...{ context: body, signal },
      };
      const lines = await afterFirstChunk(rt.builds.classic(request));
      return stream(withFailure(lines, rt, signal), 'application/json');
    },
  }),
  route('POST', '/build/cancel', {
    access,
    summary: 'Cancel a build',
    query: query({ id: z.string().max(256).default('') }),
    body: noBody,
    answers: { 204: EMPTY },
    handler: async ({ query: { id }, signal }, { builds }) => {
      await builds.ask(`/build/cancel?id=${encodeURIComponent(id)}`, z.unknown(), signal);
      return empty();
    },
  }),
  route('POST', '/build/prune', {
    access,
    summary: 'Prune the build cache',
    query: query({
      ...{ all: once, filters: once },
      ...{ 'keep-storage': once },
    }),
    body: noBody,
    answers: { 200: CachesPruned },
    handler: async ({ query, signal }, { builds }) => {
      // No builder is started to find out that its cache is in use, as system prune asks.
      if (!builds.hasBuilder) return json({ CachesDeleted: [], SpaceReclaimed: 0 });
      return json(await builds.ask(`/build/prune?${searchOf(query)}`, PrunedThere, signal));
    },
  }),
];

/** As Go writes it: an empty list is `null`. */
const PrunedThere = z
  .object({
    CachesDeleted: z.array(z.string()).nullish(),
    SpaceReclaimed: z.int().default(0),
  })
  .transform(({ CachesDeleted, SpaceReclaimed }) => ({
    CachesDeleted: CachesDeleted ?? [],
    SpaceReclaimed,
  }));

/** Speaks gRPC until the client leaves. Where no builder starts, all calls get the reason. */
async function serveGrpc(client: ClientStream, { builds }: BuilderHost): Promise<void> {
  await builds.serveGrpc(duplexOf(client), client.gone, reasonOf);
}

/** A failure in the middle of the lines is a line. */
async function* withFailure(
  lines: AsyncIterable<Uint8Array>,
  { log }: BuilderHost,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array> {
  try {
    yield* lines;
  } catch (error) {
    const failure = failureOf(error);
    if (failure.unexpected && !signal.aborted) log.error('an image could not be built', error);
    yield line(failureLine(failure));
  }
}

/** In one line, as BuildKit's clients print it. */
function reasonOf(error: unknown): string {
  const { message, remedy } = failureOf(error).body;
  return remedy === undefined ? message : `${message}. ${remedy}`;
}

function searchOf(query: Readonly<Record<string, string | string[] | undefined>>): URLSearchParams {
  const search = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) {
    for (const each of [value ?? []].flat()) search.append(name, each);
  }
  return search;
}

/** The connection as a duplex stream, on which HTTP/2 can run. */
function duplexOf(client: ClientStream): Duplex {
  const input = client.input[Symbol.asyncIterator]();
  return new Duplex({
    read() {
      input.next().then(
        ({ done, value }) => this.push(done === true ? null : value),
        (error: Error) => this.destroy(error),
      );
    },
    write(chunk: Buffer, _encoding, done) {
      client.write(1, chunk).then(() => done(), done);
    },
  });
}
