import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import { NOW } from '../testing/certificates.ts';
import { testDirectory } from '../testing/directory.ts';
import { readReceipt, writeReceipt } from './receipt.ts';

const LIST = Uint8Array.of(1, 2, 3);

let path: string;

beforeEach(() => {
  path = join(testDirectory(), 'receipt.json');
});

describe('readReceipt', () => {
  it('returns the time of the revocation list that a receipt records', async () => {
    await writeReceipt(path, LIST, NOW);
    expect(await readReceipt(path, LIST)).toEqual(NOW);
  });

  it('ignores a receipt for other bytes', async () => {
    await writeReceipt(path, LIST, NOW);
    expect(await readReceipt(path, Uint8Array.of(1, 2))).toBeUndefined();
  });

  it('returns undefined where there is no receipt', async () => {
    expect(await readReceipt(path, LIST)).toBeUndefined();
  });

  it.each([
    '',
    'null',
    '{}',
    '{"sha256":"039058c6f2c0cb492c533b0a4d14ef77cc0f78abccced5287d84a1a2011cfb81"}',
    '{"sha256":"039058c6f2c0cb492c533b0a4d14ef77cc0f78abccced5287d84a1a2011cfb81","obtainedAt":"today"}',
    '{"sha256":"039058c6f2c0cb492c533b0a4d14ef77cc0f78abccced5287d84a1a2011cfb81","obtainedAt":"2026-03-01T12:00:00Z","more":1}',
  ])('ignores the malformed receipt %j', async (text) => {
    await writeFile(path, text);
    expect(await readReceipt(path, LIST)).toBeUndefined();
  });
});
