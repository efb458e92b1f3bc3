import { type FileHandle, mkdtemp, open, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { forkState } from './fork-state.ts';
import { readSavedRam } from './saved-ram.ts';

const MEBIBYTE = 2 ** 20;
const DEVICES = Buffer.concat([Buffer.from('5145564d00000003', 'hex'), Buffer.from('devices')]);
const named = (name: string): Buffer =>
  Buffer.concat([Buffer.from([name.length]), Buffer.from(name)]);
const u32 = (value: number): Buffer => {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
};
const u64 = (value: number): Buffer => {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64BE(BigInt(value));
  return bytes;
};

let directory: string;
let file: FileHandle;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'saved-'));
  file = await open(join(directory, 'ram'), 'w+');
});
afterEach(async () => {
  await file.close();
  await rm(directory, { recursive: true });
});

interface Block {
  readonly name: string;
  readonly bytes: number;
  readonly offset: number;
  readonly page?: number;
  readonly version?: number;
}
const MEMORY: Block = { name: 'memory', bytes: 4 * MEBIBYTE, offset: MEBIBYTE };
const BIOS: Block = { name: 'pc.bios', bytes: 8192, offset: 6 * MEBIBYTE };

/** Writes a file like QEMU's, except for the given head or total size. */
async function write(blocks: readonly Block[], changes: { head?: Buffer; total?: number } = {}) {
  const capability = named('mapped-ram');
  const head =
    changes.head ??
    Buffer.concat([
      ...[DEVICES.subarray(0, 8), Buffer.from([7]), u32(11), Buffer.from('pc-q35-10.0')],
      ...[Buffer.from([5]), named('configuration/capabilities'), u32(1), u32(1), capability],
      ...[Buffer.from([1]), u32(1), named('ram'), u32(0), u32(4)],
    ]);
  const total = changes.total ?? blocks.reduce((sum, { bytes }) => sum + bytes, 0);
  await file.write(Buffer.concat([head, u64(total + 4)]), 0, undefined, 0);
  let at = head.length + 8;
  for (const { name, bytes, offset, page = 4096, version = 1 } of blocks) {
    const text = Buffer.concat([
      named(name),
      u64(bytes),
      u32(version),
      u64(page),
      u64(0),
      u64(offset),
    ]);
    await file.write(text, 0, undefined, at);
    at = offset + bytes;
  }
  await file.truncate(Math.max(at, 16 * MEBIBYTE));
}

describe('RAM that QEMU saved', () => {
  it('finds each RAM block and the offset of its pages', async () => {
    await write([MEMORY, BIOS]);
    expect(await readSavedRam(file)).toEqual({
      machine: 'pc-q35-10.0',
      blocks: [MEMORY, BIOS].map(({ name, bytes, offset }) => ({ name, bytes, offset })),
    });
  });

  it.each<[string, readonly Block[], { head?: Buffer; total?: number }]>([
    ['is no such file', [MEMORY], { head: Buffer.from('something else') }],
    ['has a block beyond its end', [{ ...MEMORY, offset: 64 * MEBIBYTE }, BIOS], { total: 1 }],
    ['has a block out of place', [{ ...MEMORY, offset: MEBIBYTE + 4096 }], {}],
    ['has a block over another', [MEMORY, { ...BIOS, offset: 2 * MEBIBYTE }], {}],
    ['has a block twice', [MEMORY, { ...MEMORY, offset: 6 * MEBIBYTE }], {}],
    ['has an empty block', [{ ...MEMORY, bytes: 0 }], { total: 4096 }],
    ['has half a page', [{ ...MEMORY, bytes: 100 }], {}],
    ['has other pages', [{ ...MEMORY, page: 65_536 }], {}],
    ['has a block of another version', [{ ...MEMORY, version: 2 }], {}],
    ['has a name with a line break', [{ ...MEMORY, name: 'a\nb' }], {}],
    ['has less than it says', [MEMORY], { total: 2 * MEBIBYTE }],
    ['says more than there is', [MEMORY], { total: 2 ** 60 }],
  ])('refuses saved RAM in a file that %s', async (_, blocks, changes) => {
    await write(blocks, changes);
    await expect(readSavedRam(file)).rejects.toMatchObject({ code: 'vmm-failed' });
  });
});

describe('the state of a fork', () => {
  it('lists all RAM in the state of a fork, with the pages that are not mapped and the devices', async () => {
    await write([MEMORY, BIOS]);
    await file.write(Buffer.alloc(4096, 0xee), 0, undefined, BIOS.offset + 4096);
    const saved = await readSavedRam(file);
    const state = await forkState(file, saved, DEVICES, new Set(['memory']));
    expect(state.subarray(0, 8)).toEqual(DEVICES.subarray(0, 8));
    const page = Buffer.concat([u64(4096 + 8), named('pc.bios'), Buffer.alloc(4096, 0xee)]);
    expect(state.includes(page)).toBe(true);
    expect(state.includes(Buffer.concat([named('memory'), u64(MEMORY.bytes), u64(0)]))).toBe(true);
    expect(state.includes('x-ignore-shared')).toBe(true);
    expect(state.includes('devices')).toBe(true);
    // One page, and little else.
    expect(state.length).toBeLessThan(4096 + 400);
  });

  it('refuses device state of another form, and too much RAM that is not mapped', async () => {
    await write([MEMORY, { ...BIOS, bytes: 9 * MEBIBYTE }]);
    const saved = await readSavedRam(file);
    const made = (devices: Buffer, mapped: readonly string[]) =>
      forkState(file, saved, devices, new Set(mapped));
    await expect(made(DEVICES, ['memory'])).rejects.toMatchObject({ code: 'vmm-failed' });
    const other = made(Buffer.from('no devices'), ['memory', 'pc.bios']);
    await expect(other).rejects.toMatchObject({ code: 'vmm-failed' });
  });
});
