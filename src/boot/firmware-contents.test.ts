// Tests native/firmware/contents.py with minimal images.
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';

const PROGRAM = resolve('native/firmware/contents.py');
/** The modules of the list, followed by those that platform.py adds. */
const LISTED = ['Pkg/Core/Core.inf', 'Pkg/Table/Table.inf'];
const MODULES = [
  ...LISTED,
  'SecurityPkg/RandomNumberGenerator/RngDxe/RngDxe.inf',
  'A3sBox/AcpiDxe/AcpiDxe.inf',
  'A3sBox/KernelDxe/KernelDxe.inf',
].map((path, index) => ({ path, guid: `0000000${index}-0001-0002-0304-05060708090A` }));
const STRANGER = 'DEADBEEF-0001-0002-0304-05060708090A';

const FFS = '8C8CE578-8A3D-4F1C-9935-896185C32DD3';
const LZMA = 'EE4E5898-3914-4259-9D6E-DC7BD79403CF';
const VOLUMES = '9E21FD93-9C72-4C15-8C4B-E77F1DB2D792';
const APRIORI = 'FC510EE7-FFDC-11D4-BD41-0080C73C8881';
const [DRIVER, FREEFORM, VOLUME] = [0x07, 0x02, 0x0b];

let root: string;
beforeAll(() => {
  root = mkdtempSync(join(tmpdir(), 'contents-'));
  for (const { path, guid } of MODULES) {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    const inf = `[Defines]\r\n  # FILE_GUID\r\n  FILE_GUID = ${guid.toLowerCase()}\r\n`;
    writeFileSync(join(root, path), inf);
  }
  writeFileSync(join(root, 'modules.txt'), `# the reason\n${LISTED.join('\n')}\n`);
});
afterAll(() => rmSync(root, { recursive: true }));

function guidBytes(guid: string): Buffer {
  const [a = '', b = '', c = '', ...rest] = guid.split('-');
  const little = (text: string) => Buffer.from(text, 'hex').reverse();
  return Buffer.concat([little(a), little(b), little(c), Buffer.from(rest.join(''), 'hex')]);
}

function padded(pieces: readonly Buffer[], to: number, fill: number): Buffer {
  return pieces.reduce((whole, piece) => {
    const gap = Buffer.alloc((to - (whole.length % to)) % to, fill);
    return Buffer.concat([whole, gap, piece]);
  }, Buffer.alloc(0));
}

function file(guid: string, kind = DRIVER, content: Buffer = Buffer.from('a module')): Buffer {
  const header = Buffer.concat([guidBytes(guid), Buffer.alloc(8)]);
  header[18] = kind;
  header.writeUIntLE(24 + content.length, 20, 3);
  return Buffer.concat([header, content]);
}

function section(kind: number, content: Buffer): Buffer {
  const header = Buffer.alloc(4);
  header.writeUIntLE(4 + content.length, 0, 3);
  header[3] = kind;
  return Buffer.concat([header, content]);
}

function volume(files: readonly Buffer[], kind = FFS): Buffer {
  const header = Buffer.alloc(72);
  guidBytes(kind).copy(header, 16);
  header.write('_FVH', 40, 'latin1');
  header.writeUInt16LE(72, 48);
  const whole = Buffer.concat([padded([header, ...files], 8, 0xff), Buffer.alloc(64, 0xff)]);
  whole.writeBigUInt64LE(BigInt(whole.length), 32);
  return whole;
}

function packed(sections: readonly Buffer[], by = LZMA): Buffer {
  const input = padded(sections, 4, 0);
  const data = execFileSync('xz', ['--format=lzma', '--stdout'], { input });
  const header = Buffer.alloc(4);
  header.writeUInt16LE(24, 0);
  header.writeUInt16LE(1, 2);
  return section(0x02, Buffer.concat([guidBytes(by), header, data]));
}

interface Layout {
  readonly inside?: readonly Buffer[];
  readonly outside?: readonly Buffer[];
  readonly by?: string;
  readonly kind?: string;
}

/**
 * An image. A compressed volume holds all modules but the last, and the file with their start
 * order.
 */
function image({ inside = [], outside = [], by, kind }: Layout = {}): Buffer {
  const files = MODULES.map(({ guid }) => file(guid));
  const within = [file(APRIORI, FREEFORM, Buffer.alloc(32)), ...files.slice(0, -1), ...inside];
  const sections = [section(0x19, Buffer.alloc(12)), section(0x17, volume(within, kind))];
  return Buffer.concat([
    Buffer.alloc(16),
    volume([file(VOLUMES, VOLUME, packed(sections, by))]),
    volume([...files.slice(-1), ...outside]),
  ]);
}

function check(bytes: Buffer): { status: number | null; stderr: string } {
  const path = join(root, 'OVMF.fd');
  writeFileSync(path, bytes);
  const args = [PROGRAM, root, join(root, 'modules.txt'), path];
  const env = { PATH: '/usr/bin:/bin', PYTHONDONTWRITEBYTECODE: '1' };
  const { status, stderr } = spawnSync('python3', args, { encoding: 'utf8', env });
  return { status, stderr };
}

it('accepts a firmware image with exactly the listed modules', () => {
  expect(check(image())).toEqual({ status: 0, stderr: '' });
});

it.each<[string, Layout, string]>([
  ['a module beside the list', { inside: [file(STRANGER)] }, `${STRANGER} is not in the list`],
  [
    'an uncompressed module beside the list',
    { outside: [file(STRANGER)] },
    `${STRANGER} is not in the list`,
  ],
  [
    'a file of another kind',
    { inside: [file(STRANGER, FREEFORM)] },
    `${STRANGER} is not in the list`,
  ],
  [
    'a module twice',
    { outside: [file(MODULES[0]?.guid ?? '')] },
    'Pkg/Core/Core.inf is there 2 times',
  ],
  ['padding that is not empty', { inside: [file(STRANGER, 0xf0)] }, 'padding holds something'],
  ['another way of compression', { by: STRANGER }, `a section is packed by ${STRANGER}`],
  ['a volume of another kind', { kind: STRANGER }, `a volume of an unknown kind: ${STRANGER}`],
  ['volumes of another file', { outside: [file(STRANGER, VOLUME)] }, 'are unknown'],
])('refuses a firmware image with %s', (_, layout, reason) => {
  const { status, stderr } = check(image(layout));
  expect(status).toBe(1);
  expect(stderr).toMatch(/^contents.py: the firmware does not hold what it should: /);
  expect(stderr).toContain(reason);
});

it('names each module that a firmware image lacks', () => {
  const { status, stderr } = check(volume([file(MODULES[0]?.guid ?? '')]));
  expect(status).toBe(1);
  expect(stderr).toContain('A3sBox/AcpiDxe/AcpiDxe.inf is missing');
  expect(stderr).toContain('Pkg/Table/Table.inf is missing');
});

it('refuses a firmware image that was truncated or has wrong lengths', () => {
  const whole = image();
  expect(check(whole.subarray(0, -65)).stderr).toContain('a volume has no length');
  const odd = Buffer.from(whole);
  odd.writeUIntLE(1, 16 + 72 + 20, 3);
  expect(check(odd).stderr).toContain('a file has no length');
});
