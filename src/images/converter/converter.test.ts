import { execFileSync } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import {
  chmodSync,
  chownSync,
  cpSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { open } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { build } from 'esbuild';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { spawnInJail } from '../../jail/spawn.ts';
import type { Digest } from '../../oci/digest.ts';
import { DiskBudget } from '../disk-budget.ts';
import { DEFAULT_LIMITS, type Limits } from '../limits.ts';
import { convertHere } from '../testing/convert-here.ts';
import { writeTar } from '../testing/tar-writer.ts';
import { type Converter, converterInJail, jailProgram, type StoredLayer } from './converter.ts';

function bundle(entry: URL, outfile: string) {
  return build({
    entryPoints: [fileURLToPath(entry)],
    outfile,
    bundle: true,
    platform: 'node',
    target: 'node20',
    format: 'cjs',
    conditions: ['a3s-source'],
    logLevel: 'error',
  });
}

let root: string;
let program: string;
let converter: Converter;

beforeAll(async () => {
  // Only this user can read the directory, as a home directory.
  root = mkdtempSync(join(tmpdir(), 'a3s-converter-'));
  program = join(root, 'converter.cjs');
  await bundle(new URL('main.ts', import.meta.url), program);
});

beforeEach(() => {
  converter = converterInJail(program, spawnInJail);
});

afterAll(() => rmSync(root, { recursive: true, force: true }));

const tar = writeTar([
  { path: 'data', data: randomBytes(300_000) },
  { path: 'empty', type: 'directory' },
]);
const zstd = (bytes: Buffer) => execFileSync('zstd', ['-c', '-'], { input: bytes });

let count = 0;
function stored(plain: Buffer, blob = plain): StoredLayer {
  count += 1;
  const path = join(root, `blob-${count}`);
  writeFileSync(path, blob, { mode: 0o400 });
  const diffId: Digest = `sha256:${createHash('sha256').update(plain).digest('hex')}`;
  return { diffId, size: blob.length, path };
}

async function convert(
  use: Converter,
  layers: readonly StoredLayer[],
  limits: Partial<Limits> = {},
  below: readonly StoredLayer[] | undefined = undefined,
  space = 1 << 30,
): Promise<{ done: boolean; bytes: Buffer }> {
  count += 1;
  const path = join(root, `disk-${count}`);
  const output = await open(path, 'wx', 0o600);
  const budget = new DiskBudget(root, space);
  const done = await use({
    layers,
    below,
    output,
    budget,
    limits: { ...DEFAULT_LIMITS, ...limits },
  }).finally(() => output.close());
  return { done, bytes: readFileSync(path) };
}

describe('a converter in a jail', () => {
  it.each([
    ['plain', tar],
    ['gzip', gzipSync(tar)],
    ['zstd', zstd(tar)],
  ])('writes the same bytes from a layer in the jail as outside of it: %s', async (_, blob) => {
    const layer = stored(tar, blob);
    const [there, here] = [await convert(converter, [layer]), await convert(convertHere, [layer])];
    expect(there.done).toBe(true);
    expect(there.bytes.equals(here.bytes)).toBe(true);
  });

  it('merges as many layers as an image can have', async () => {
    const layers = Array.from({ length: 127 }, (_, index) =>
      stored(writeTar([{ path: `layer-${index}`, data: `${index}` }])),
    );
    const there = await convert(converter, layers);
    expect(there.bytes.equals((await convert(convertHere, layers)).bytes)).toBe(true);
  });

  it('reports that a layer depends on lower layers, and converts it with them', async () => {
    const over = stored(writeTar([{ path: 'empty/file', data: 'x' }]));
    expect((await convert(converter, [over])).done).toBe(false);
    expect((await convert(converter, [over], {}, [stored(tar)])).done).toBe(true);
  });

  it('checks a layer without writing', async () => {
    const job = { below: undefined, output: undefined, limits: DEFAULT_LIMITS };
    const budget = new DiskBudget(root, 0);
    const good = stored(tar, gzipSync(tar));
    expect(await converter({ ...job, budget, layers: [good] })).toBe(true);
    const bad = { ...good, diffId: stored(Buffer.from('other')).diffId };
    await expect(converter({ ...job, budget, layers: [bad] })).rejects.toMatchObject({
      code: 'invalid-image',
      message: expect.stringContaining('its content has the digest'),
    });
  });

  it('returns the code and the message of a refusal from the converter', async () => {
    const bomb = writeTar([{ path: 'zeros', data: Buffer.alloc(10_000_000) }]);
    for (const blob of [gzipSync(bomb), zstd(bomb)]) {
      await expect(
        convert(converter, [stored(bomb, blob)], { freeExpansion: 1_000_000 }),
      ).rejects.toMatchObject({ message: expect.stringContaining('decompression bomb') });
    }
    await expect(convert(converter, [stored(tar)], { layerBytes: 1000 })).rejects.toMatchObject({
      code: 'too-large',
    });
    await expect(convert(converter, [stored(tar)], {}, undefined, 5000)).rejects.toMatchObject({
      code: 'disk-full',
    });
    const gone = { ...stored(tar), path: join(root, 'nothing') };
    await expect(convert(converter, [gone])).rejects.toMatchObject({
      code: 'invalid-image',
      remedy: 'Load the image again.',
    });
  });

  it.each([
    ['no output', '', /exit code 0/],
    ['an unknown code', `process.stdout.write('{"result":"failed","code":"x","message":""}')`, /./],
    [
      'an additional member',
      `process.stdout.write('{"result":"written","more":1}')`,
      /exit code 0/,
    ],
    ['endless output', `for (;;) require('fs').writeSync(1, 'x'.repeat(65536))`, /SIGKILL|code/],
    ['a crash', 'process.abort()', /ended with/],
  ])('fails closed on a hostile converter process: %s', async (_, source, end) => {
    const path = join(root, 'hostile.cjs');
    writeFileSync(path, source);
    await expect(convert(converterInJail(path, spawnInJail), [stored(tar)])).rejects.toMatchObject({
      code: 'invalid-image',
      message: expect.stringMatching(end),
    });
  });

  it('runs the converter without access to the home, the network and other processes', async () => {
    const home = join(root, 'home');
    mkdirSync(home);
    // The names do not exist in the jail, even where file modes would allow access.
    for (const name of ['state.db', 'other-blob']) writeFileSync(join(home, name), 'secret');
    chmodSync(root, 0o700);
    const probe = join(root, 'probe.cjs');
    const attempts = {
      database: `fs.readFileSync(${JSON.stringify(join(home, 'state.db'))})`,
      blob: `fs.openSync(${JSON.stringify(join(home, 'other-blob'))}, 'r+')`,
      listing: `fs.readdirSync(${JSON.stringify(root)})`,
      passwords: `fs.readFileSync('/etc/shadow')`,
      server: `fs.readFileSync('/proc/${process.pid}/environ')`,
      signal: `process.kill(${process.pid}, 0)`,
      write: `fs.writeFileSync('/tmp/x', '')`,
      blobWrite: `fs.writeSync(4, 'x')`,
    };
    const tries = Object.entries(attempts).map(
      ([name, code]) => `try { ${code}; reached.push('${name}') } catch {}`,
    );
    writeFileSync(
      probe,
      `const fs = require('node:fs'), reached = []; ${tries.join('\n')}
      console.log(JSON.stringify({ reached, blob: fs.readSync(4, Buffer.alloc(9), 0, 9, 0),
        net: fs.readFileSync('/proc/net/dev', 'utf8').match(/^ *\\w+:/gm).map((s) => s.trim()),
        status: fs.readFileSync('/proc/self/status', 'utf8').match(/^(CapEff|NoNewPrivs):.*$/gm) }));`,
    );
    const blob = openSync(stored(tar).path, 'r');
    const stdio = [openSync(probe, 'r'), 'pipe', 'pipe', 'ignore', blob] as const;
    const child = await spawnInJail(
      await jailProgram(stdio, { layers: [], limits: DEFAULT_LIMITS }),
    );
    const [out, complaint] = await Promise.all(
      [child.stdout, child.stderr].map((stream) => text(stream ?? expect.fail())),
    );
    expect(complaint).toBe('');
    expect(JSON.parse(out ?? '')).toEqual({
      reached: [],
      blob: 9,
      net: ['lo:'],
      status: ['CapEff:\t0000000000000000', 'NoNewPrivs:\t1'],
    });
  });

  it.runIf(process.geteuid?.() === 0)('runs the converter for an unprivileged user', async () => {
    const user = 65_534;
    const home = mkdtempSync(join(tmpdir(), 'a3s-converter-'));
    try {
      const layer = stored(tar, zstd(tar));
      const [own, blob, disk] = ['converter.cjs', 'blob', 'disk'].map((name) => join(home, name));
      if (own === undefined || blob === undefined || disk === undefined) expect.fail();
      cpSync(program, own);
      cpSync(layer.path, blob);
      await bundle(new URL('../testing/convert-file.ts', import.meta.url), join(home, 'start.cjs'));
      for (const path of [own, blob, join(home, 'start.cjs'), home]) chownSync(path, user, user);
      const done = execFileSync('setpriv', [
        ...[`--reuid=${user}`, `--regid=${user}`, '--clear-groups', process.execPath],
        ...[join(home, 'start.cjs'), own, blob, layer.diffId, disk],
      ]);
      expect(done.toString()).toBe('true');
      const here = await convert(convertHere, [layer]);
      expect(readFileSync(disk).equals(here.bytes)).toBe(true);
    } finally {
      rmSync(home, { recursive: true, force: true });
    }
  });
});
