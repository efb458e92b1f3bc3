import { expect, it } from 'vitest';
import { encryptedDiskBytes } from './encrypted-disk.ts';

/** As `dataSectors` of native/agent/dm/crypt.go computes it. */
function roomOn(disk: number): number {
  const [head, run, tags] = [1024, 32_768, 384];
  const behind = Math.floor(disk / 512) - head;
  const rest = Math.max(0, (behind % (run + tags)) - tags);
  return Math.floor((Math.floor(behind / (run + tags)) * run + rest) / 8) * 4096;
}

it.each([32 * 2 ** 20, 2 ** 24 + 1, 2 ** 30, 10 * 2 ** 30 + 12_345, 8 * 2 ** 40])(
  'makes an encrypted disk with room for %d bytes, and for little more',
  (bytes) => {
    const room = roomOn(encryptedDiskBytes(bytes));
    expect(room).toBeGreaterThanOrEqual(bytes);
    expect(room - bytes).toBeLessThan(2 ** 24);
  },
);
