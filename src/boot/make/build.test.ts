import { cp, mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { type BootSet, installBootSet, pinnedBootSet, readBootSet } from '../bootset.ts';
import { BootDocument, bootSetId } from '../document.ts';
import {
  GO_CACHE,
  initrdFiles,
  makeArchive,
  makeCheckout,
  NAME,
  RELEASE,
  script,
} from '../testing/build-inputs.ts';
import { syntheticBzImage, syntheticFirmware, syntheticVmlinux } from '../testing/synthetic.ts';
import { buildBootSet } from './build.ts';
import { buildPlainBootSet } from './build-plain.ts';

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

function modulesOf(set: BootSet, profile: 'plain' | 'confidential'): string[] {
  return BootDocument.parse(set.document)[profile].modules.map(({ name }) => name);
}

async function build(output = join(root, 'dist', 'boot'), update = false) {
  const lines: string[] = [];
  const result = await buildBootSet({
    ...{ root, output, update, erofsWriter: 'a writer 7' },
    firmware: () => Promise.resolve(syntheticFirmware()),
    step: (l) => lines.push(l),
  });
  return { ...result, lines };
}

test('records all sources of a boot set, and builds nothing twice', async () => {
  const { set, built, lines } = await build();
  expect(built).toBe(true);
  expect(set.document).toMatchObject({
    kernel: { package: NAME, version: '6.12.1-1', release: RELEASE },
    agent: { version: '1.2.3', go: expect.stringMatching(/^go1\./) },
    erofs: 'a writer 7',
  });
  expect(modulesOf(set, 'plain')).toEqual([
    'virtio_blk',
    'virtio_rng',
    'libcrc32c',
    'erofs',
    'overlay',
    'failover',
    'net_failover',
    'virtio_net',
    'inet_diag',
    'tcp_diag',
    'tun',
    ...['llc', 'stp', 'bridge', 'veth', 'nf_tables', 'nf_conntrack_netlink', 'nft_compat'],
    ...['nft_chain_nat', 'nft_ct', 'nft_masq', 'nft_nat', 'nft_reject_inet', 'nf_nat'],
    ...['xt_MASQUERADE', 'xt_addrtype', 'xt_comment', 'xt_conntrack', 'xt_mark', 'xt_nat'],
    'xt_tcpudp',
    'binfmt_misc',
  ]);
  expect(lines.join('\n')).toContain(set.id);
  expect((await stat(set.kernelPath)).mode & 0o777).toBe(0o444);
  expect(await readdir(join(root, 'dist'))).toEqual(['boot']);
  const again = await build();
  expect(again).toMatchObject({ built: false, lines: [], set: { id: set.id } });
}, 120_000);

test('builds a boot set with everything that a confidential box boots from', async () => {
  const { set } = await build();
  const { confidential } = set;
  expect(confidential).toMatchObject({
    firmwarePath: join(set.directory, 'OVMF.fd'),
    kernelPath: join(set.directory, 'bzImage'),
    initrdPath: join(set.directory, 'initrd-confidential'),
    vcpuType: 'EPYC-Milan-v2',
    policy: 0x30000n,
  });
  const words = confidential?.commandLines;
  expect(words?.snp.filter((word) => !words.simulated.includes(word))).toEqual(['a3s.tee=snp']);
  expect(words?.simulated.filter((word) => !words.snp.includes(word))).toEqual([
    'a3s.tee=simulated',
  ]);
  // Guest memory is private, so devices reach only the bounce buffers of swiotlb.
  expect(words?.snp.some((word) => word.startsWith('swiotlb='))).toBe(false);
  expect(set.document).toMatchObject({
    confidential: { firmware: { source: { version: '1-1' } } },
  });
}, 120_000);

test('lists in the confidential initrd the modules of each use with their dependencies', async () => {
  const { set } = await build();
  expect(modulesOf(set, 'confidential').slice(0, 7)).toEqual([
    'virtio_blk',
    'libcrc32c',
    'erofs',
    'overlay',
    'dm_mod',
    'dm_bufio',
    'dm_verity',
  ]);
  const files = initrdFiles(set.confidential?.initrdPath ?? '');
  const lists = [...files].filter(([name]) => name.startsWith('modules/order'));
  expect(Object.fromEntries(lists)).toEqual({
    'modules/order':
      'virtio_blk.ko\nlibcrc32c.ko\nerofs.ko\noverlay.ko\ndm_mod.ko\ndm_bufio.ko\ndm_verity.ko\n',
    'modules/order.nic': 'failover.ko\nnet_failover.ko\nvirtio_net.ko\n',
    'modules/order.changes':
      'dm_crypt.ko\nshared.ko\ndm_integrity.ko\nauthenc.ko\nxts.ko\naesni_intel.ko\nsha256_ssse3.ko\n',
    'modules/order.snp': 'shared.ko\ntsm.ko\nsev_guest.ko\n',
    'modules/order.tun': 'tun.ko\n',
  });
  // The confidential initrd and the plain one have different init programs.
  expect(files.get('init')).not.toBe(initrdFiles(set.initrdPath).get('init'));
  const plain = [...initrdFiles(set.initrdPath).keys()].filter((name) => name.includes('order'));
  expect(plain).toEqual(['', '.containers', '.nic', '.tun'].map((use) => `modules/order${use}`));
}, 120_000);

test('builds a boot set without firmware that boots plain boxes, and replaces it by a whole set', async () => {
  const lines: string[] = [];
  const output = join(root, 'dist', 'boot');
  const plain = await buildPlainBootSet({
    ...{ root, output, erofsWriter: 'a writer 7' },
    step: (line) => lines.push(line),
  });
  expect(plain.confidential).toBeUndefined();
  expect(await readdir(output)).toEqual(['boot.json', 'bzImage', 'initrd', 'vmlinux']);
  expect(lines.at(-1)).toContain(plain.id);
  expect((await installBootSet(output, join(root, 'home'))).id).toBe(plain.id);
  const { built, set } = await build();
  expect(built).toBe(true);
  expect(set.commandLine).toEqual(plain.commandLine);
  const digests = (files: object) => Object.entries(files);
  expect(digests(set.document.files)).toEqual(
    expect.arrayContaining(digests(plain.document.files)),
  );
  expect(set.document.kernel).toEqual(plain.document.kernel);
  expect(set.confidential).toBeDefined();
  expect(await readdir(join(root, 'dist'))).toEqual(['boot']);
}, 120_000);

test('opens a boot set from before confidential boxes, without its confidential parts', async () => {
  const { set } = await build();
  const { plain, confidential: _, schema: __, id: ___, ...rest } = BootDocument.parse(set.document);
  const { vmlinux, bzImage, initrd } = rest.files;
  const old = {
    ...{ ...rest, schema: 'a3s-box/boot-set/v1', profile: 'plain' },
    files: { vmlinux, bzImage, initrd },
    agent: { ...rest.agent, binary: plain.agent },
    ...{ commandLine: plain.commandLine, modules: plain.modules },
  };
  const directory = join(root, 'home', 'boot', bootSetId(old));
  await cp(set.directory, directory, { recursive: true });
  await rm(join(directory, 'boot.json'));
  await rm(join(directory, 'initrd-confidential'));
  await writeFile(join(directory, 'boot.json'), JSON.stringify({ ...old, id: bootSetId(old) }));
  const opened = await pinnedBootSet(join(root, 'home'), bootSetId(old));
  expect(opened).toMatchObject({ commandLine: set.commandLine, confidential: undefined });
}, 120_000);

test('builds identical bytes in two places', async () => {
  const first = await build();
  const files = await readdir(first.set.directory);
  const before = await Promise.all(files.map((f) => readFile(join(first.set.directory, f))));
  const other = join(root, 'somewhere', 'else');
  await makeCheckout(other);
  const lines: string[] = [];
  const second = await buildBootSet({
    root: other,
    output: join(other, 'out'),
    update: false,
    erofsWriter: 'a writer 7',
    firmware: () => Promise.resolve(syntheticFirmware()),
    step: (line) => lines.push(line),
  });
  const after = await Promise.all(files.map((f) => readFile(join(second.set.directory, f))));
  expect(after.map((b) => b.toString('base64'))).toEqual(before.map((b) => b.toString('base64')));
}, 120_000);

test('builds another boot set for another agent, with the pinned kernel', async () => {
  const first = await build();
  await script(join(root, 'archive', 'bin', 'apt-cache'), 'exit 100\n');
  await script(join(root, 'archive', 'bin', 'apt-get'), 'exit 100\n');
  await writeFile(join(root, 'native', 'agent', 'x_test.go'), 'package main\n');
  expect((await build()).built).toBe(false);
  await writeFile(join(root, 'native', 'agent', 'x.go'), 'package main\n');
  const second = await build();
  expect(second.built).toBe(true);
  expect(second.set.id).not.toBe(first.set.id);
  expect(second.set.document.kernel).toEqual(first.set.document.kernel);
  await expect(build(undefined, true)).rejects.toThrow('apt-cache failed');
}, 120_000);

test('refuses a download without the digest of the index, and leaves no file', async () => {
  await script(join(root, 'archive', 'bin', 'apt-get'), 'echo evil > kernel.deb\n');
  await expect(build()).rejects.toThrow('does not have the SHA-256');
  expect(await readdir(join(root, 'dist'))).toEqual([]);
  expect(await readdir(join(root, 'build', 'cache'))).toEqual([]);
});

test('an installed boot set is verified once, pinned by its id, and reported when it is gone', async () => {
  const { set } = await build();
  const home = join(root, 'home');
  await mkdir(home);
  const installed = await installBootSet(set.directory, home);
  expect(installed).toMatchObject({ id: set.id, directory: join(home, 'boot', set.id) });
  expect(await readdir(join(home, 'boot'))).toEqual([set.id]);
  expect((await stat(installed.initrdPath)).mode & 0o777).toBe(0o444);
  expect((await installBootSet(set.directory, home)).directory).toBe(installed.directory);
  expect((await pinnedBootSet(home, set.id)).kernelPath).toBe(installed.kernelPath);

  await rm(installed.initrdPath);
  await expect(pinnedBootSet(home, set.id)).rejects.toMatchObject({ code: 'boot-set-missing' });
  expect((await installBootSet(set.directory, home)).id).toBe(set.id);

  const initrd = await readFile(set.initrdPath);
  initrd[initrd.length - 1] = 1;
  await rm(set.initrdPath);
  await writeFile(set.initrdPath, initrd);
  const second = join(root, 'second');
  await mkdir(second);
  await expect(installBootSet(set.directory, second)).rejects.toThrow('does not have the SHA-256');
  expect(await readdir(join(second, 'boot'))).toEqual([]);
}, 120_000);

test('refuses a boot.json that was changed', async () => {
  const { set } = await build();
  const json = join(set.directory, 'boot.json');
  const text = await readFile(json, 'utf8');
  await rm(json);
  await writeFile(json, text.replace('"panic=-1"', '"panic=-1","init=/bin/sh"'));
  await expect(readBootSet(set.directory)).rejects.toThrow('does not match its id');
  await writeFile(json, text.replace('"plain"', '"more": 1, "plain"'));
  await expect(readBootSet(set.directory)).rejects.toMatchObject({
    code: 'boot-set-missing',
    remedy: expect.stringContaining('npm run setup'),
  });
}, 120_000);
