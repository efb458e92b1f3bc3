/**
 * The server with a thousand records: `ps`, against podman's of as many containers, and requests in
 * a second, against a bare server of Node's that answers with the same bytes.
 *
 * @module
 */
import { mkdtempSync } from 'node:fs';
import { Agent, request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Actor } from '../../../test/e2e/actor.ts';
import { BUSYBOX } from '../../../test/e2e/installation.ts';
import type { Asked, Benchmark } from '../../benchmark.ts';
import { inTurns } from '../../in-turns.ts';
import { withBareHttp } from '../../peers/bare-http.ts';
import { PODMAN_IMAGE, Podman } from '../../peers/podman.ts';
import { type BenchmarkResult, compared, timed } from '../../statistics.ts';
import { withActor } from '../../with-actor.ts';

const RECORDS = 1000;
const AT_ONCE = 8;
const SECONDS = 2;
const MOST_SAMPLES = 5;
const WARM_UP = 5000;

const LIST = '/containers/json?limit=10';

/** Row → path, and what we want. */
const REQUESTS = [
  ['api-ping', '/_ping', '>= 0.1'],
  ['api-list', LIST, '>= 0.1'],
] as const;

/** One request over a connection that stays; its body. */
function ask(agent: Agent, socketPath: string, path: string, body?: unknown): Promise<string> {
  return new Promise((resolve, reject) => {
    const method = body === undefined ? 'GET' : 'POST';
    const sent = request({ socketPath, path, method, agent }, (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (chunk: string) => {
        text += chunk;
      });
      response.on('error', reject).on('end', () => {
        const { statusCode = 0 } = response;
        if (statusCode < 300) resolve(text);
        else reject(new Error(`${path}: ${statusCode} ${text}`));
      });
    });
    sent.on('error', reject);
    if (body === undefined) sent.end();
    else sent.setHeader('content-type', 'application/json').end(JSON.stringify(body));
  });
}

/** Does `once` so many times, a few at a time. */
async function times(count: number, once: () => Promise<unknown>): Promise<void> {
  const turns = Array.from({ length: count }).values();
  await Promise.all(
    Array.from({ length: AT_ONCE }, async () => {
      for (const _ of turns) await once();
    }),
  );
}

/** Requests in a second, over a few connections at once. */
async function rate(agent: Agent, socketPath: string, path: string): Promise<number> {
  const started = performance.now();
  const end = started + SECONDS * 1000;
  let answered = 0;
  await Promise.all(
    Array.from({ length: AT_ONCE }, async () => {
      while (performance.now() < end) {
        await ask(agent, socketPath, path);
        answered += 1;
      }
    }),
  );
  return answered / ((performance.now() - started) / 1000);
}

async function requests(asked: Asked, actor: Actor, agent: Agent): Promise<BenchmarkResult[]> {
  const results: BenchmarkResult[] = [];
  const samples = Math.min(asked.samples, MOST_SAMPLES);
  for (const [name, path, aim] of REQUESTS) {
    const body = await ask(agent, actor.socket, path);
    // What is compiled by then is what a server of some hours runs.
    await times(WARM_UP, () => ask(agent, actor.socket, path));
    const directory = mkdtempSync(join(tmpdir(), 'bare-'));
    const { ours, bare } = await withBareHttp(directory, body, (socketPath) =>
      inTurns(
        { ...asked, samples },
        {
          bare: () => rate(agent, socketPath, path),
          ours: () => rate(agent, actor.socket, path),
        },
      ),
    );
    results.push(compared(name, '/s', ours, { name: 'bare Node', samples: bare }, aim));
  }
  return results;
}

async function listing(asked: Asked, actor: Actor, podman: Podman): Promise<BenchmarkResult> {
  await times(RECORDS, () => podman.create(['--network', 'none', PODMAN_IMAGE, 'true']));
  const { ours, theirs } = await inTurns(asked, {
    theirs: () => timed(() => podman.ok(['ps', '--all'])),
    ours: () => timed(() => actor.ok(['ps', '--all'])),
  });
  const peer = { name: 'podman ps --all', samples: theirs };
  return compared('api-ps', 'ms', ours, peer, '<= 1');
}

export const api: Benchmark = {
  name: 'api',
  run: (asked) =>
    withActor(({ actor, archive }) =>
      Podman.with(archive, async (podman) => {
        const agent = new Agent({ keepAlive: true, maxSockets: AT_ONCE });
        try {
          const box = { Image: BUSYBOX, Cmd: ['true'], HostConfig: { NetworkMode: 'none' } };
          await times(RECORDS, () => ask(agent, actor.socket, '/containers/create', box));
          const answered = await requests(asked, actor, agent);
          return [await listing(asked, actor, podman), ...answered];
        } finally {
          agent.destroy();
        }
      }),
    ),
};
