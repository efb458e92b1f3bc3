import { createHash } from 'node:crypto';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  fetchFirmwareSource,
  parseSourceIndex,
  pinFirmwareSource,
  pinnedFirmwareSource,
} from './firmware-source.ts';

const ORIGINAL = Buffer.from('the original');
const DEBIAN = Buffer.from('what Debian changes');

let root: string;
let cache: string;
const { PATH: path } = process.env;

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'firmware-'));
  cache = join(root, 'cache');
  await mkdir(join(root, 'bin'));
  await mkdir(cache);
  process.env['PATH'] = `${join(root, 'bin')}:${path}`;
});
afterEach(async () => {
  process.env['PATH'] = path;
  await rm(root, { recursive: true });
});

function digest(bytes: Buffer): string {
  return createHash('sha256').update(bytes).digest('hex');
}

/** A source index as `apt-cache showsrc` prints it. */
function index(version = '2025.02-8', files = [ORIGINAL, DEBIAN]): string {
  const [original = ORIGINAL, debian = DEBIAN] = files;
  return [
    'Package: edk2',
    'Binary: ovmf, qemu-efi-arm',
    `Version: ${version}`,
    'Files:',
    ` ee9de3d45dd7f5c67f34ce3cf6a2a13a 2656 edk2_${version}.dsc`,
    ` e56d64b473916304addf6e6f0b4574ff ${original.length} edk2_2025.02.orig.tar.xz`,
    'Checksums-Sha256:',
    ` ${'9'.repeat(64)} 2656 edk2_${version}.dsc`,
    ` ${digest(original)} ${original.length} edk2_2025.02.orig.tar.xz`,
    ` ${digest(debian)} ${debian.length} edk2_${version}.debian.tar.xz`,
    'Homepage: http://www.tianocore.org',
    '',
    '',
  ].join('\n');
}

/**
 * A fake apt with the index and the two tarballs. Like some mirrors it lacks the third file, and
 * fails.
 */
async function makeApt(text: string, original = ORIGINAL): Promise<void> {
  await writeFile(join(root, 'index'), text);
  await writeFile(join(root, 'original'), original);
  await writeFile(join(root, 'debian'), DEBIAN);
  await script('apt-cache', `cat '${join(root, 'index')}'\n`);
  await script(
    'apt-get',
    `echo "$*" >>'${join(root, 'calls')}'
case "$*" in
indextargets*) printf 'Debian|http://mirror.test/debian/ trixie main\\nDebian|http://mirror.test/debian/ trixie contrib\\nOther|http://other.test/ trixie main\\n' ;;
*update*) cp "$(dirname "$APT_CONFIG")/sources.list" '${join(root, 'sources')}' ;;
*source*) cp '${join(root, 'original')}' edk2_2025.02.orig.tar.xz; cp '${join(root, 'debian')}' edk2_2025.02-8.debian.tar.xz; exit 100 ;;
esac\n`,
  );
}

async function script(name: string, body: string): Promise<void> {
  await writeFile(join(root, 'bin', name), `#!/bin/sh\n${body}`, { mode: 0o755 });
}

describe('the source of the firmware', () => {
  it('downloads the firmware source from the configured Debian mirrors, checked against the signed index', async () => {
    await makeApt(index());
    const found = await fetchFirmwareSource(cache, undefined);
    expect(found.source).toMatchObject({
      version: '2025.02-8',
      original: { sha256: digest(ORIGINAL) },
      debian: { sha256: digest(DEBIAN) },
    });
    expect(await readFile(found.original)).toEqual(ORIGINAL);
    expect(await readFile(found.debian)).toEqual(DEBIAN);
    expect(await readFile(join(root, 'sources'), 'utf8')).toBe(
      'deb-src [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] http://mirror.test/debian/ trixie main\n',
    );
    expect(await readdir(cache)).toHaveLength(2);
  });

  it('selects the newest firmware source, in whatever order the index lists them', async () => {
    for (const text of [index('2025.02-10') + index(), index() + index('2025.02-10')]) {
      await makeApt(text.replaceAll('2025.02-10.debian', '2025.02-8.debian'));
      const { source } = await fetchFirmwareSource(cache, undefined);
      expect(source.version).toBe('2025.02-10');
    }
  });

  it('downloads the firmware source only once', async () => {
    await makeApt(index());
    const { source } = await fetchFirmwareSource(cache, undefined);
    await script('apt-get', 'exit 1\n');
    expect((await fetchFirmwareSource(cache, source)).source).toEqual(source);
    await writeFile(join(cache, source.original.name), 'damaged');
    await expect(fetchFirmwareSource(cache, source)).rejects.toThrow('apt-get failed');
  });

  it('downloads the present firmware source when the pinned version is gone', async () => {
    await makeApt(index());
    const { source } = await fetchFirmwareSource(cache, undefined);
    const older = { ...source, version: '2025.02-7', original: { ...source.original, size: 1 } };
    expect((await fetchFirmwareSource(cache, older)).source.version).toBe('2025.02-8');
  });

  it('refuses a firmware source with other bytes than the index names, and leaves no file', async () => {
    await makeApt(index(), Buffer.from('the 0riginal'));
    await expect(fetchFirmwareSource(cache, undefined)).rejects.toThrow(
      'edk2_2025.02.orig.tar.xz does not have the SHA-256 of the index',
    );
    expect(await readdir(cache)).toEqual([]);
  });

  it('refuses a firmware source with other bytes than those pinned under its version', async () => {
    await makeApt(index());
    const { source } = await fetchFirmwareSource(cache, undefined);
    await rm(join(cache, source.original.name));
    const other = { ...source, original: { ...source.original, sha256: '0'.repeat(64) } };
    await expect(fetchFirmwareSource(cache, other)).rejects.toThrow('does not have the SHA-256');
  });

  it.each([
    ['nothing', ''],
    ['another package', index().replace('Package: edk2', 'Package: edk3')],
    ['no digests', index().replace('Checksums-Sha256:', 'Checksums-Sha512:')],
    ['a name that is a path', index().replaceAll('edk2_2025.02.orig', 'edk2_/../x.orig')],
    [
      'two originals',
      index()
        .replace('.dsc\n ', '.orig.tar.xz\n ')
        .replaceAll('2656 edk2_2025.02-8.dsc', '2656 edk2_x.orig.tar.xz'),
    ],
    ['a version that is an option', index('-8 --force')],
  ])('refuses an index of the firmware source with %s', (_, text) => {
    expect(() => parseSourceIndex(text)).toThrow(
      /^Cannot get the source of the firmware: the index/,
    );
  });

  it('pins the firmware source for the next build, and ignores a damaged pin', async () => {
    const [source] = parseSourceIndex(index());
    if (source === undefined) throw new Error('there is none');
    await pinFirmwareSource(cache, source);
    expect(await pinnedFirmwareSource(cache)).toEqual(source);
    await writeFile(join(cache, 'firmware.json'), JSON.stringify({ ...source, more: 1 }));
    expect(await pinnedFirmwareSource(cache)).toBeUndefined();
  });
});
