import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { CachePolicy } from './cache-policy.ts';

const directory = mkdtempSync(join(tmpdir(), 'a3s-cache-'));
afterAll(() => rmSync(directory, { recursive: true }));

it('knows what the cache of a builder holds, and nothing about another disk', async () => {
  const builder = { name: 'default', cacheDisk: 'first' };
  const cache = new CachePolicy(directory, builder);
  expect(await cache.read()).toBeUndefined();
  for (const isClassic of [false, true]) {
    await cache.record({ policy: 'sha256:1', isClassic });
    expect(await new CachePolicy(directory, builder).read()).toEqual({
      ...{ policy: 'sha256:1', isClassic },
    });
  }
  expect(
    await new CachePolicy(directory, { ...builder, cacheDisk: 'second' }).read(),
  ).toBeUndefined();
});
