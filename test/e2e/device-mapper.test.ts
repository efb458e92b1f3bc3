// Checked and encrypted disks, and vsock, in a kernel of their own: the agent's tests with the tag
// `guest`, each package's as process 1 of a guest.

import { execFile } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { cp, mkdir, mkdtemp, open, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { readBootSet } from '../../src/boot/bootset.ts';
import { makeInitrd } from '../../src/boot/make/initrd.ts';
import {
  fetchKernelPackage,
  pinnedKernelPackage,
  unpackKernelPackage,
} from '../../src/boot/make/kernel-package.ts';
import { type LoadedModules, loadModules, MODULE_PROFILES } from '../../src/boot/make/modules.ts';
import { diskTree } from '../../src/images/verity/disk-tree.ts';
import { saltOf, treeBytes } from '../../src/images/verity/hash-tree.ts';
import { scaled } from './time-scale.ts';

const run = promisify(execFile);
const MARKER = `a3s-plaintext-${randomBytes(8).toString('hex')}`;
/** Two of the file system's groups, the second one small. */
const CHANGES_BYTES = 140 * 2 ** 20;
const DATA_BLOCKS = 300;
/** The end of what a guest said that did not end. */
const SHOWN = 4096;

let root: string;
let modules: LoadedModules;
const disks: { path: string; serial: string; readonly: boolean }[] = [];
const words: string[] = [`marker=${MARKER}`];

const path = (name: string): string => join(root, name);

/** An EROFS image with its tree. `blocks`: of its only file. */
async function makeLayer(name: string, blocks: number, fill: string): Promise<void> {
  const tree = path(`${name}.tree`);
  await mkdir(tree);
  if (blocks > 0) {
    const line = Buffer.alloc(4096, fill);
    const content = Array.from({ length: blocks }, (_, index) => {
      const block = Buffer.from(line);
      block.write(`content ${index} `);
      return block;
    });
    await writeFile(join(tree, 'file'), Buffer.concat(content));
  }
  await run('mkfs.erofs', ['-T0', '--all-root', path(name), tree]);
  const diffId = `sha256:${createHash('sha256').update(name).digest('hex')}`;
  const made = await diskTree({ path: path(name), diffId, staging: path('staging') });
  words.push(`tree.${name}=${made.bytes}:${made.root}:${saltOf(diffId).toString('hex')}`);
  disks.push({ path: path(name), serial: name, readonly: true });
}

/** A copy of the good disk in which one bit differs. */
async function flip(name: string, at: number): Promise<void> {
  await cp(path('good'), path(name), { mode: 0 });
  await run('chmod', ['600', path(name)]);
  const file = await open(path(name), 'r+');
  const byte = Buffer.alloc(1);
  await file.read(byte, 0, 1, at);
  await file.write(Buffer.from([(byte[0] ?? 0) ^ 1]), 0, 1, at);
  await file.close();
  disks.push({ path: path(name), serial: name, readonly: true });
}

async function makeDisks(): Promise<void> {
  await makeLayer('good', DATA_BLOCKS, 'g');
  await makeLayer('other', DATA_BLOCKS, 'o');
  await makeLayer('one', 0, '');
  const bytes = Number(/tree\.good=(\d+)/.exec(words.join(' '))?.[1]);
  await flip('bad-data', 100 * 4096 + 17);
  // Behind the topmost block: the digests of the second 128 blocks.
  await flip('bad-tree', bytes + 4096 + 4096 + 5);
  await flip('bad-root', bytes + 9);
  await cp(path('good'), path('short'));
  await run('chmod', ['600', path('short')]);
  await truncate(path('short'), bytes + treeBytes(bytes) - 4096);
  disks.push({ path: path('short'), serial: 'short', readonly: true });
  // What is on it before is the host's, and may be anything.
  await writeFile(path('changes'), randomBytes(2 ** 20));
  await truncate(path('changes'), CHANGES_BYTES);
  disks.push({ path: path('changes'), serial: 'changes', readonly: false });
}

async function makeTestInitrd(name: string): Promise<void> {
  await run('go', ['test', '-c', '-tags', 'guest', '-o', path('init'), `./${name}`], {
    cwd: resolve('native/agent'),
    env: { ...process.env, CGO_ENABLED: '0', GOFLAGS: '-buildvcs=false' },
  });
  await writeFile(path('initrd'), makeInitrd(await readFile(path('init')), modules));
}

/** What the tests of a package print. */
async function testInGuest(name: string): Promise<string> {
  await makeTestInitrd(name);
  const boot = await readBootSet(process.env['A3S_BOOT'] ?? resolve('dist/boot'));
  const running = run(
    'qemu-system-x86_64',
    [
      ...['-M', 'q35', '-accel', 'tcg,thread=multi', '-cpu', 'max', '-smp', '2', '-m', '512'],
      ...['-nodefaults', '-no-user-config', '-nographic', '-no-reboot', '-serial', 'stdio'],
      ...['-kernel', boot.kernelPath, '-initrd', path('initrd')],
      ...[
        '-append',
        `console=ttyS0 quiet reboot=t panic=-1 cryptomgr.notests=1 ${words.join(' ')}`,
      ],
      ...disks.flatMap(({ path: file, serial, readonly }) => [
        ...[
          '-drive',
          `if=none,id=${serial},format=raw,file=${file},readonly=${readonly ? 'on' : 'off'}`,
        ],
        ...['-device', `virtio-blk-pci,drive=${serial},serial=${serial}`],
      ]),
    ],
    { timeout: scaled(160_000), killSignal: 'SIGKILL', maxBuffer: 2 ** 24 },
  );
  const { stdout } = await running.catch((error: { readonly stdout?: string }) =>
    expect.fail(`the guest did not end by itself: ${error.stdout?.slice(-SHOWN)}`),
  );
  return stdout.replaceAll('\r', '');
}

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'device-mapper-'));
  await mkdir(path('staging'));
  await makeDisks();
  const cache = resolve('build/cache');
  const kernel = (await pinnedKernelPackage(cache)) ?? expect.fail('run npm run setup');
  const tree = await unpackKernelPackage(await fetchKernelPackage(cache, kernel), path('kernel'));
  const { common, ...uses } = MODULE_PROFILES.confidential;
  // By which a guest can connect to itself.
  const wanted = { ...uses, common: [...common, 'vsock_loopback'] };
  modules = await loadModules(tree.modules, tree.release, wanted);
});

afterAll(() => rm(root, { recursive: true, force: true }));

// How many tests each has at least: none of them may go missing unseen.
it.each([
  ['dm', 12],
  ['box/layers', 8],
  ['secrets', 17],
  ['workload', 10],
  ['control', 15],
])('passes the Go tests of package %s in a guest', async (name, tests) => {
  const output = await testInGuest(name);
  expect(output).toMatch(/^PASS$/m);
  expect(output).not.toContain('--- FAIL');
  expect(output.match(/^--- PASS: /gm)?.length).toBeGreaterThanOrEqual(tests);
  const disk = await readFile(path('changes'));
  expect(disk.length).toBe(CHANGES_BYTES);
  expect(disk.includes(MARKER)).toBe(false);
});
