/**
 * Ten services at once: `docker compose up` of one file, until all are started, against podman's
 * service.
 *
 * @module
 */
import { spawn } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { finish } from '../../../test/e2e/actor.ts';
import { BUSYBOX } from '../../../test/e2e/installation.ts';
import { startPodmanService } from '../../../test/peers/podman-service.ts';
import type { Benchmark } from '../../benchmark.ts';
import { inTurns } from '../../in-turns.ts';
import { PODMAN_IMAGE } from '../../peers/podman.ts';
import { compared, timed } from '../../statistics.ts';
import { warmly } from '../../warm.ts';
import { withActor } from '../../with-actor.ts';

const SERVICES = 10;
/** A round takes seconds, and is made of many starts already. */
const MOST_ROUNDS = 5;
const DEADLINE_MS = 300_000;

const APPLICATION = {
  name: 'ten',
  services: Object.fromEntries(
    Array.from({ length: SERVICES }, (_, index) => [
      `service-${index}`,
      { image: PODMAN_IMAGE, command: ['sleep', '100000'] },
    ]),
  ),
};

/** Runs the real docker compose against an engine; it must succeed. */
type Compose = (...args: readonly string[]) => Promise<void>;

function composeWith(socket: string, directory: string): Compose {
  mkdirSync(directory, { recursive: true });
  writeFileSync(join(directory, 'compose.yaml'), JSON.stringify(APPLICATION));
  const env = { PATH: process.env['PATH'], HOME: directory, DOCKER_HOST: `unix://${socket}` };
  return async (...args) => {
    const child = spawn('docker-compose', args, { cwd: directory, env });
    const { code, stderr } = await finish(child, { deadlineMs: DEADLINE_MS });
    if (code !== 0) throw new Error(`docker-compose ${args.join(' ')}: ${code}\n${stderr}`);
  };
}

/** Milliseconds until all have started. All are removed afterwards, also when one failed. */
async function upAndDown(compose: Compose): Promise<number> {
  try {
    return await timed(() => compose('up', '--detach'));
  } finally {
    await compose('down', '--timeout', '0');
  }
}

export const composeUp: Benchmark = {
  name: 'compose-up',
  run: ({ samples, signal }) =>
    withActor(async ({ actor, archive }) => {
      const podman = await startPodmanService();
      if (podman === undefined) throw new Error('podman or runc is not installed');
      try {
        // Both know the image by the name that podman gives it.
        await actor.ok(['tag', BUSYBOX, PODMAN_IMAGE]);
        const directory = join(actor.directory, 'ten');
        const ours = composeWith(actor.socket, directory);
        const theirs = composeWith(podman.socket, directory);
        await load(podman.socket, archive);
        const asked = { samples: Math.min(samples, MOST_ROUNDS), signal };
        const figures = await warmly(actor, () =>
          inTurns(asked, { theirs: () => upAndDown(theirs), ours: () => upAndDown(ours) }),
        );
        const peer = { name: `podman, ${SERVICES} services`, samples: figures.theirs };
        return [compared('compose-up', 'ms', figures.ours, peer, '<= 3')];
      } finally {
        await podman.stop();
      }
    }),
};

async function load(socket: string, archive: string): Promise<void> {
  const env = { PATH: process.env['PATH'], DOCKER_HOST: `unix://${socket}` };
  const child = spawn('docker', ['load', '--quiet', '--input', archive], { env });
  const { code, stderr } = await finish(child, { deadlineMs: DEADLINE_MS });
  if (code !== 0) throw new Error(`docker load: ${code}\n${stderr}`);
}
