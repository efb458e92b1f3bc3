import { describe, expect, it } from 'vitest';
import { toHex } from '../../hex.ts';
import { sha256, sha384 } from '../launch-digest.ts';
import {
  cmdlineHash,
  EMPTY_SHA256,
  KERNEL_HASH_TABLE_SIZE,
  kernelHashesPage,
  kernelHashTable,
  MAX_CMDLINE,
} from './kernel-hashes.ts';

const HASHES = {
  kernel: sha256(new TextEncoder().encode('fake-kernel-image\n')),
  initrd: sha256(new TextEncoder().encode('fake-initrd-image\n')),
  cmdline: cmdlineHash('root=/dev/vda ro'),
};

describe('kernelHashTable', () => {
  it('builds the kernel hash table that QEMU writes', () => {
    const table = kernelHashTable(HASHES);
    expect(table).toHaveLength(KERNEL_HASH_TABLE_SIZE);
    expect(toHex(table)).toBe(
      '06d63894224fc94cb479a793d411fd21a800d82dd09720bd944caa78e7714d36ab2a3200' +
        '8c2e757603632c087264f36c2d035178cd3e7404cb6c99d0b747f3e3c9fb8b48' +
        '31f7ba442f3ad74b9af141e29169781d3200' +
        '53393f4be034ec8c10cd0442ff34f984e9934ddc2a97744f58d1981486a70ab1' +
        '3794e74dd2ab7f42b835d5b172d2045b3200' +
        'e3264c49caa6153dbbf00fc990bd8ca1aae918bcb98ee0c1c9d2da3841579425' +
        '0000000000000000',
    );
  });

  it('places the kernel hash table in its page where the firmware looks for it', () => {
    const page = kernelHashesPage(HASHES, 0x810c00);
    expect(toHex(sha384(page))).toBe(
      '82ace62192d2e8b5e2736f564734278cabd5094895f8e619092c71365ebd9823d4f80586ef05cba2e2c7c10db763851d',
    );
  });

  it('refuses a kernel hash table that crosses its page', () => {
    expect(() => kernelHashesPage(HASHES, 0x810fff)).toThrow(RangeError);
  });
});

describe('cmdlineHash', () => {
  it('hashes a command line with its terminating NUL', () => {
    expect(cmdlineHash('')).toEqual(sha256(Uint8Array.of(0)));
    expect(cmdlineHash('é')).toEqual(sha256(Uint8Array.of(0xc3, 0xa9, 0)));
    expect(EMPTY_SHA256).toEqual(sha256(new Uint8Array(0)));
  });

  it.each([
    ['a NUL', 'a\0b'],
    ['a lone surrogate', 'a\ud800'],
    ['too many bytes', 'é'.repeat(MAX_CMDLINE / 2 + 1)],
  ])('refuses to hash a command line with %s', (_, text) => {
    expect(() => cmdlineHash(text)).toThrow(expect.objectContaining({ code: 'measure-input' }));
  });
});
