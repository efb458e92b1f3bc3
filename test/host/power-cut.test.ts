import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type StartedRegistry, startRegistry } from '../../src/registry/testing/start-registry.ts';
import { type Installation, install } from '../e2e/installation.ts';
import { SOAK } from '../e2e/soak.ts';
import { buildImage, dockerArchive } from '../images/build-image.ts';
import { withCareless } from './power/careless.ts';
import { playCuts } from './power/play-cuts.ts';
import { seedOf } from './power/random.ts';

const STEPS = SOAK ? 120 : 25;
const CUTS = Number(process.env['POWER_CUTS'] ?? (SOAK ? 300 : 10));

let installation: Installation;
let registry: StartedRegistry;
const remote = new Map<string, string>();
beforeAll(async () => {
  installation = await install();
  registry = await startRegistry();
  for (const name of ['first', 'second']) publish(name);
});
afterAll(async () => {
  await registry.stop();
  installation.remove();
});

/** Puts an image into the registry. */
function publish(name: string): void {
  const layers = ['below', 'above'].map((path) => [
    { path, data: Buffer.alloc(1_500_000, `${name} ${path}`) },
  ]);
  const image = buildImage({ name: `test/${name}:1`, layers });
  const archive = join(registry.directory, `${name}.tar`);
  writeFileSync(archive, dockerArchive([image]));
  const place = `${registry.host}/${name}:1`;
  const copy = ['copy', '--quiet', '--dest-tls-verify=false'];
  execFileSync('skopeo', [...copy, `docker-archive:${archive}`, `docker://${place}`]);
  remote.set(place, image.config.digest);
}

const seed = seedOf();

it(`keeps acknowledged images and records wherever the power is cut (A3S_SEED=${seed})`, {
  timeout: SOAK ? 7_200_000 : 600_000,
}, async () => {
  const given = { installation, seed, remote, vms: false as const };
  expect(await playCuts({ ...given, steps: STEPS, cuts: CUTS })).toEqual([]);
});

it(`detects a server that acknowledges unsynced records (A3S_SEED=${seed})`, {
  timeout: 600_000,
}, async () => {
  const syncs = { careful: 'synchronous = FULL', careless: 'synchronous = OFF' };
  await withCareless(installation, syncs, async (other) => {
    const given = { installation: other, seed, remote, vms: false as const };
    expect((await playCuts({ ...given, steps: 12, cuts: 10 })).length).toBeGreaterThan(0);
  });
});
