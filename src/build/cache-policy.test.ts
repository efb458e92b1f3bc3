import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { testAuthority } from '../registry/testing/test-authority.ts';
import { CachePolicy } from './cache-policy.ts';

const directory = mkdtempSync(join(tmpdir(), 'a3s-cache-'));
afterAll(() => rmSync(directory, { recursive: true }));

function made() {
  const { ca } = testAuthority(mkdtempSync(join(directory, 'made-')));
  return { name: 'default', authority: { certificate: ca, privateKey: '' } };
}

it('knows what the cache of a builder holds, and nothing about a builder made anew', async () => {
  const builder = made();
  const cache = new CachePolicy(directory, builder);
  expect(await cache.read()).toBeUndefined();
  for (const isClassic of [false, true]) {
    await cache.record({ policy: 'sha256:1', isClassic });
    expect(await new CachePolicy(directory, builder).read()).toEqual({
      ...{ policy: 'sha256:1', isClassic },
    });
  }
  expect(await new CachePolicy(directory, made()).read()).toBeUndefined();
});
