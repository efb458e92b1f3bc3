/**
 * An image from a registry on this host until a box could boot from it, against `podman pull` and
 * against `skopeo copy` with `umoci unpack`; and the memory that a large layer takes beside a small
 * one.
 *
 * Every pull begins with an empty store. What is ours ends when the disks are made, and all of it
 * is durable by then; the others end with directories of files that the kernel still has to write.
 * So they are timed twice: until they end, and until what they wrote is on disk too.
 *
 * @module
 */
import { execFile } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { promisify } from 'node:util';
import {
  type StartedRegistry,
  startRegistry,
} from '../../../src/registry/testing/start-registry.ts';
import { Actor } from '../../../test/e2e/actor.ts';
import { type Installation, install } from '../../../test/e2e/installation.ts';
import { type BuiltImage, writeOciLayout } from '../../../test/images/build-image.ts';
import type { Asked, Benchmark } from '../../benchmark.ts';
import { largeFiles, oneLayer, smallFiles } from '../../peers/pull-images.ts';
import { alone, type BenchmarkResult, compared, timed } from '../../statistics.ts';

const MiB = 1024 * 1024;
/** A round takes half a minute, and rounds differ by little. */
const MAX_ROUNDS = 3;
const SAMPLED_EVERY_MS = 10;

const run = promisify(execFile);

interface Place {
  readonly installation: Installation;
  readonly registry: StartedRegistry;
  readonly directory: string;
}

export const pull: Benchmark = {
  name: 'pull',
  async run({ samples, signal }) {
    const installation = await install();
    const directory = mkdtempSync(join(tmpdir(), 'a3s-pull-'));
    const registry = await startRegistry();
    const place: Place = { installation, registry, directory };
    const asked: Asked = { samples: Math.min(samples, MAX_ROUNDS), signal };
    try {
      return [
        ...(await speed(place, asked, 'large files', largeFiles())),
        ...(await speed(place, asked, '30,000 files', smallFiles())),
        ...(await memory(place, signal)),
      ];
    } finally {
      await registry.stop();
      installation.remove();
      rmSync(directory, { recursive: true, force: true });
    }
  },
};

async function speed(
  place: Place,
  { samples, signal }: Asked,
  what: string,
  image: BuiltImage,
): Promise<BenchmarkResult[]> {
  const name = await push(place, 'team/speed', image);
  const ours: number[] = [];
  const podman: number[] = [];
  const umoci: number[] = [];
  const durable: number[] = [];
  // Interleaved, so that a busy minute hits all of them.
  for (let round = 0; round < samples; round += 1) {
    signal.throwIfAborted();
    ours.push(await withServer(place, (actor) => timed(() => pullByApi(actor, name))));
    podman.push(await inDirectory(place, (at) => timed(() => pullByPodman(at, name))));
    await inDirectory(place, async (at) => {
      const pulled = await timed(() => pullByUmoci(at, name));
      umoci.push(pulled);
      durable.push(pulled + (await timed(() => run('sync', ['--file-system', at]))));
    });
  }
  const aim = '<= 1';
  return [
    compared(`pull, ${what}`, 'ms', ours, { name: 'podman pull', samples: podman }, aim),
    compared(`pull, ${what}`, 'ms', ours, { name: 'skopeo, umoci', samples: umoci }, aim),
    compared(`pull, ${what}`, 'ms', ours, { name: 'the same, sync', samples: durable }, aim),
  ];
}

async function memory(place: Place, signal: AbortSignal): Promise<BenchmarkResult[]> {
  signal.throwIfAborted();
  const small = await peakMemory(place, 20 * MiB);
  signal.throwIfAborted();
  const large = await peakMemory(place, 400 * MiB);
  return [
    alone('memory to pull a layer of 20 MiB', 'MiB', [small], ''),
    compared(
      'memory to pull a layer of 400 MiB',
      'MiB',
      [large],
      { name: 'one of 20 MiB', samples: [small] },
      'flat',
    ),
  ];
}

async function peakMemory(place: Place, layerBytes: number): Promise<number> {
  const name = await push(place, 'team/memory', oneLayer(layerBytes));
  return await withServer(place, async (actor) => {
    const server = actor.serverPid();
    if (server === undefined) throw new Error('the control server is gone');
    let converters = 0;
    const sampling = setInterval(() => {
      converters = Math.max(converters, sum(descendants(server).map(peakOf)));
    }, SAMPLED_EVERY_MS);
    await pullByApi(actor, name).finally(() => clearInterval(sampling));
    return peakOf(server) + converters;
  });
}

/** Pushes an image into the registry, and returns its name there. */
async function push(
  { registry, directory }: Place,
  path: string,
  image: BuiltImage,
): Promise<string> {
  const layout = join(directory, 'layout');
  const name = `${registry.host}/${path}:1`;
  writeOciLayout(layout, [image]);
  await run('skopeo', ['copy', '--dest-tls-verify=false', `oci:${layout}`, `docker://${name}`]);
  rmSync(layout, { recursive: true });
  return name;
}

/** A server that has just been started, with nothing in its home. */
async function withServer<T>(place: Place, use: (actor: Actor) => Promise<T>): Promise<T> {
  const actor = new Actor('root', place.installation);
  try {
    await actor.ok(['ps']);
    return await use(actor);
  } finally {
    await actor.leave();
  }
}

async function inDirectory<T>(place: Place, use: (path: string) => Promise<T>): Promise<T> {
  const path = mkdtempSync(join(place.directory, 'store-'));
  try {
    return await use(path);
  } finally {
    rmSync(path, { recursive: true, force: true });
  }
}

async function pullByApi(actor: Actor, name: string): Promise<void> {
  const path = `/images/create?${new URLSearchParams({ fromImage: name })}`;
  const lines = await new Promise<string>((resolve, reject) => {
    request({ socketPath: actor.socket, path, method: 'POST' }, (response) => {
      resolve(text(response));
    })
      .on('error', reject)
      .end();
  });
  if (!lines.includes('Downloaded newer image')) throw new Error(`nothing was pulled: ${lines}`);
}

async function pullByPodman(directory: string, name: string): Promise<void> {
  const podman = ['--root', join(directory, 'root'), '--runroot', join(directory, 'run')];
  const how = ['--storage-driver', 'overlay', 'pull', '--quiet', '--tls-verify=false'];
  await run('podman', [...podman, ...how, name]);
}

async function pullByUmoci(directory: string, name: string): Promise<void> {
  const image = `${join(directory, 'oci')}:1`;
  await run('skopeo', ['copy', '--src-tls-verify=false', `docker://${name}`, `oci:${image}`]);
  await run('umoci', ['unpack', '--image', image, join(directory, 'bundle')]);
}

/** Children of a process, and theirs. */
function descendants(pid: number): readonly number[] {
  const children = readProc(() =>
    readdirSync(`/proc/${pid}/task`)
      .map((task) => readFileSync(`/proc/${pid}/task/${task}/children`, 'latin1'))
      .join(' '),
  );
  const direct = (children.match(/\d+/g) ?? []).map(Number);
  return [...direct, ...direct.flatMap(descendants)];
}

/** The most memory that a process had in use at once, in MiB; none when it has gone. */
function peakOf(pid: number): number {
  const status = readProc(() => readFileSync(`/proc/${pid}/status`, 'latin1'));
  return Number(/^VmHWM:\s+(\d+) kB$/m.exec(status)?.[1] ?? 0) / 1024;
}

function readProc(read: () => string): string {
  try {
    return read();
  } catch {
    return '';
  }
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}
