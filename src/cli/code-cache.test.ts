import { mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeEach, describe, expect, it } from 'vitest';
import { codeCachePath, readCodeCache, sealCodeCache } from './code-cache.ts';

const directory = mkdtempSync(join(tmpdir(), 'a3s-code-cache-'));
const bundle = join(directory, 'cli-0123456789abcdef.js');
const data = Buffer.from('what V8 has made of it');

beforeEach(() => writeFileSync(codeCachePath(bundle), sealCodeCache(data)));
afterAll(() => rmSync(directory, { recursive: true }));

describe('the code cache', () => {
  it('reads a code cache as it was sealed', () => {
    expect(readCodeCache(bundle)).toEqual(data);
  });

  it('uses a code cache only for one bundle, Node.js version and architecture', () => {
    expect(codeCachePath(bundle)).toBe(`${bundle}-${process.version}-${process.arch}.cache`);
    expect(readCodeCache(join(directory, 'cli-fedcba9876543210.js'))).toBeUndefined();
  });

  it('ignores a code cache with any changed byte', () => {
    const sealed = sealCodeCache(data);
    for (const at of sealed.keys()) {
      const changed = Buffer.from(sealed);
      changed[at] = (changed[at] ?? 0) ^ 1;
      writeFileSync(codeCachePath(bundle), changed);
      expect(readCodeCache(bundle)).toBeUndefined();
    }
  });

  it('ignores a truncated code cache', () => {
    for (let length = data.length + 3; length >= 0; length--) {
      truncateSync(codeCachePath(bundle), length);
      expect(readCodeCache(bundle)).toBeUndefined();
    }
  });
});
