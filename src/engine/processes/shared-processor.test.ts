import { expect, it } from 'vitest';
import { ownProcessors, sharedProcessor } from './shared-processor.ts';

const several = { count: 20, runtimeDir: '/run/one' };

it('chooses one processor that the box may have for its file servers', () => {
  expect([0, 1, 2, 3]).toContain(sharedProcessor(several, [0, 1, 2, 3]));
  expect(sharedProcessor({ ...several, processors: [2, 3] }, [0, 1, 2])).toBe(2);
  expect([1, 2]).toContain(sharedProcessor({ ...several, processors: [1, 2, 9] }, [0, 1, 2]));
});

it('leaves one file server, and servers without a common processor, to the scheduler', () => {
  expect(sharedProcessor({ ...several, count: 1 }, [0, 1])).toBeUndefined();
  expect(sharedProcessor({ ...several, processors: [7] }, [0, 1])).toBeUndefined();
});

it('spreads boxes over the processors', () => {
  const spread = Array.from({ length: 64 }, (_, box) =>
    sharedProcessor({ ...several, runtimeDir: `/run/${box}` }, [0, 1]),
  );
  expect(new Set(spread)).toEqual(new Set([0, 1]));
});

it('lists the processors of this process', async () => {
  expect((await ownProcessors()).every(Number.isSafeInteger)).toBe(true);
  expect((await ownProcessors()).length).toBeGreaterThan(0);
});
