import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { type BootSet, installBootSet, pinnedBootSet } from '../bootset.ts';
import {
  GO_CACHE,
  initrdFiles,
  makeArchive,
  makeCheckout,
  script,
  syntheticArm64Image,
} from '../testing/build-inputs.ts';
import { syntheticBzImage, syntheticVmlinux } from '../testing/synthetic.ts';
import { buildArm64BootSet } from './build-arm64.ts';

let root: string;
const { PATH: path } = process.env;
// That of the set-up: Go's standard library is compiled already.
process.env['GOCACHE'] ??= GO_CACHE;

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'boot-'));
  await makeCheckout(root);
  await makeArchive(join(root, 'archive'), syntheticBzImage(syntheticVmlinux()));
  process.env['PATH'] = `${join(root, 'archive', 'bin')}:${path}`;
});

afterEach(async () => {
  process.env['PATH'] = path;
  await rm(root, { recursive: true });
});

async function buildArm64(update = false): Promise<BootSet> {
  const output = join(root, 'dist', 'boot-arm64');
  const step = (): void => undefined;
  return await buildArm64BootSet({ root, output, update, erofsWriter: 'a writer 7', step });
}

test('makes a boot set of arm64 from a kernel that apt has for that architecture alone', async () => {
  const archive = join(root, 'archive-arm64');
  await makeArchive(archive, syntheticArm64Image());
  const ask = await readFile(join(archive, 'bin', 'apt-cache'), 'utf8');
  const [, ...lines] = ask.split('\n');
  const only = 'grep -q \'^APT::Architectures { "arm64"; };$\' "$APT_CONFIG" || exit 1';
  await script(join(archive, 'bin', 'apt-cache'), [only, ...lines].join('\n'));
  process.env['PATH'] = `${join(archive, 'bin')}:${path}`;
  const set = await buildArm64();
  expect(set).toMatchObject({ architecture: 'arm64', confidential: undefined });
  expect(set.kernelPath).toBe(join(set.directory, 'Image'));
  expect(await readFile(set.kernelPath)).toEqual(syntheticArm64Image());
  expect(set.commandLine).toContain('console=ttyAMA0');
  expect(set.commandLine).not.toContain('tsc=reliable');
  // The machine of an ELF program: EM_AARCH64.
  const agent = initrdFiles(set.initrdPath, 'latin1').get('init') ?? '';
  expect(agent.slice(18, 20)).toBe('\xb7\0');
  expect((await buildArm64()).id).toBe(set.id);
  expect(await readdir(join(root, 'dist'))).toEqual(['boot-arm64']);
  // Boxes pin it as they pin every set.
  const home = join(root, 'home');
  const { id } = await installBootSet(set.directory, home);
  expect(await pinnedBootSet(home, id)).toMatchObject({ architecture: 'arm64' });
}, 120_000);

test('makes no boot set of arm64 from a kernel of another architecture', async () => {
  await expect(buildArm64()).rejects.toThrow('it is no Image of arm64');
  expect(await readdir(join(root, 'dist'))).toEqual([]);
});
