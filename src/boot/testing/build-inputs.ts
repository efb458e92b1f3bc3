/**
 * A checkout and an archive of packages for builds of boot sets: an agent of a few lines, a fake
 * apt, and one kernel in a real package.
 *
 * @module
 */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { syntheticModule } from './synthetic.ts';

/** What Go has compiled for this checkout. */
export const GO_CACHE = join(import.meta.dirname, '../../../build/cache/go');

export const RELEASE = '6.12.1-test';
export const NAME = `linux-image-${RELEASE}`;
/** A file, the name of the module in it, and what it depends on. */
type ModuleFile = [file: string, name: string, depends: string[]];
const alone = (name: string): ModuleFile => [name, name, []];
const MODULES: ModuleFile[] = [
  ['virtio_blk', 'virtio_blk', []],
  ['virtio_net', 'virtio_net', ['net_failover']],
  ['net_failover', 'net_failover', ['failover']],
  ['failover', 'failover', []],
  ['virtio-rng', 'virtio_rng', []],
  ['erofs', 'erofs', ['libcrc32c']],
  ['libcrc32c', 'libcrc32c', []],
  ['overlay', 'overlay', []],
  ['tcp_diag', 'tcp_diag', ['inet_diag']],
  ['inet_diag', 'inet_diag', []],
  ['tun', 'tun', []],
  ['bridge', 'bridge', ['stp', 'llc']],
  ['stp', 'stp', ['llc']],
  ['llc', 'llc', []],
  ['xt_nat', 'xt_nat', ['nf_nat']],
  ['xt_MASQUERADE', 'xt_MASQUERADE', ['nf_nat']],
  ['nf_nat', 'nf_nat', []],
  ...['veth', 'nf_tables', 'nf_conntrack_netlink', 'nft_compat', 'nft_chain_nat', 'nft_ct'].map(
    alone,
  ),
  ...['nft_masq', 'nft_nat', 'nft_reject_inet', 'xt_addrtype', 'xt_comment'].map(alone),
  ...['xt_conntrack', 'xt_mark', 'xt_tcpudp', 'binfmt_misc'].map(alone),
  // Module dependencies are listed by file name.
  ['dm-mod', 'dm_mod', []],
  ['dm-bufio', 'dm_bufio', ['dm-mod']],
  ['dm-verity', 'dm_verity', ['dm-mod', 'dm-bufio']],
  ['dm-crypt', 'dm_crypt', ['dm-mod']],
  ['dm-integrity', 'dm_integrity', ['dm-mod', 'dm-bufio', 'shared']],
  ['authenc', 'authenc', []],
  ['xts', 'xts', []],
  ['aesni-intel', 'aesni_intel', []],
  ['sha256-ssse3', 'sha256_ssse3', []],
  ['sev-guest', 'sev_guest', ['tsm', 'shared']],
  ['tsm', 'tsm', []],
  ['shared', 'shared', []],
];

/** Under `at`, which exists. */
export async function makeCheckout(at: string): Promise<void> {
  await mkdir(join(at, 'native', 'agent', 'confidential'), { recursive: true });
  await mkdir(join(at, 'src', 'boot'), { recursive: true });
  await writeFile(join(at, 'src', 'package.json'), '{"version":"1.2.3"}');
  await writeFile(join(at, 'native', 'agent', 'go.mod'), 'module example.test/agent\n\ngo 1.24\n');
  for (const [path, word] of [
    ['main.go', 'plain'],
    ['confidential/main.go', 'confidential'],
  ] as const) {
    const main = `func main() { println(version, "${word}") }`;
    const text = `package main\n\nvar version string\n\n${main}\n`;
    await writeFile(join(at, 'native', 'agent', path), text);
  }
}

/** A fake apt that offers one kernel in a real package. */
export async function makeArchive(at: string, kernel: Buffer): Promise<void> {
  const tree = join(at, 'tree');
  const modules = join(tree, 'usr', 'lib', 'modules', RELEASE, 'kernel');
  await mkdir(modules, { recursive: true });
  await mkdir(join(tree, 'boot'), { recursive: true });
  await mkdir(join(tree, 'DEBIAN'), { recursive: true });
  await mkdir(join(at, 'bin'), { recursive: true });
  await writeFile(join(tree, 'boot', `vmlinuz-${RELEASE}`), kernel);
  for (const [file, name, depends] of MODULES) {
    const input = syntheticModule(name, depends, RELEASE);
    await writeFile(join(modules, `${file}.ko.xz`), execFileSync('xz', ['-c'], { input }));
  }
  await writeFile(
    join(tree, 'DEBIAN', 'control'),
    `Package: ${NAME}\nVersion: 6.12.1-1\nArchitecture: amd64\nMaintainer: x\nDescription: x\n`,
  );
  const deb = join(at, 'kernel.deb');
  execFileSync('dpkg-deb', ['--root-owner-group', '-b', tree, deb], { stdio: 'ignore' });
  const bytes = await readFile(deb);
  const digest = createHash('sha256').update(bytes).digest('hex');
  await script(join(at, 'bin', 'apt-get'), `cp '${deb}' .\n`);
  await script(
    join(at, 'bin', 'apt-cache'),
    `case "$*" in
*cloud*) printf 'Package: linux-image-cloud-amd64\\nDepends: ${NAME} (= 6.12.1-1)\\n' ;;
*) printf 'Package: ${NAME}\\nVersion: 6.12.1-1\\nSize: ${bytes.length}\\nSHA256: ${digest}\\n' ;;
esac\n`,
  );
}

/** The header of an arm64 kernel, and nothing that runs. */
export function syntheticArm64Image(): Buffer {
  const image = Buffer.alloc(4096);
  image.write('ARM\x64', 56, 'latin1');
  return image;
}

/** Name → text of the files in a cpio archive. */
export function initrdFiles(path: string, encoding: BufferEncoding = 'utf8'): Map<string, string> {
  const archive = readFileSync(path);
  const files = new Map<string, string>();
  for (let at = 0; ; ) {
    const field = (index: number): number =>
      Number.parseInt(archive.toString('latin1', at + 6 + 8 * index, at + 14 + 8 * index), 16);
    const name = archive.toString('utf8', at + 110, at + 110 + field(11) - 1);
    if (name === 'TRAILER!!!') return files;
    const data = (at + 110 + field(11) + 3) & ~3;
    files.set(name, archive.toString(encoding, data, data + field(6)));
    at = (data + field(6) + 3) & ~3;
  }
}

export async function script(at: string, body: string): Promise<void> {
  await writeFile(at, `#!/bin/sh\n${body}`, { mode: 0o755 });
}
