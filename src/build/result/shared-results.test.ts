import { expect, it } from 'vitest';
import { digestOf } from '../../oci/digest.ts';
import { SharedResults } from './shared-results.ts';

const [ONE, OTHER] = [digestOf('one'), digestOf('other')] as const;

it('removes a result with the last of its imports, whatever became of them', async () => {
  const removed: string[] = [];
  const results = new SharedResults(async (digest) => {
    removed.push(digest);
  });
  const ends: (() => void)[] = [];
  const begin = (digest: typeof ONE): Promise<void> =>
    results.during(digest, () => new Promise<void>((resolve) => ends.push(resolve)));
  const imports = [begin(ONE), begin(ONE), begin(OTHER)];
  ends[0]?.();
  await imports[0];
  expect(removed).toEqual([]);
  ends[2]?.();
  await imports[2];
  expect(removed).toEqual([OTHER]);
  await expect(results.during(OTHER, () => Promise.reject(new Error('full')))).rejects.toThrow(
    'full',
  );
  expect(removed).toEqual([OTHER, OTHER]);
  ends[1]?.();
  await imports[1];
  expect(removed).toEqual([OTHER, OTHER, ONE]);
});
