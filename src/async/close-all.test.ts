import { expect, it } from 'vitest';
import { closeAll } from './close-all.ts';

function opened(failing: readonly string[]) {
  const closed: string[] = [];
  const closers = ['store', 'log', 'listener'].map((name) => async () => {
    closed.push(name);
    await Promise.resolve();
    closed.push(`${name} is closed`);
    if (failing.includes(name)) throw new Error(name);
  });
  return { closed, closers };
}

const ALL = ['listener', 'log', 'store'].flatMap((name) => [name, `${name} is closed`]);

it('closes the last one first, each after the one before it', async () => {
  const { closed, closers } = opened([]);
  await closeAll(closers);
  expect(closed).toEqual(ALL);
});

it('closes all of them where one fails, and throws its error', async () => {
  const { closed, closers } = opened(['listener']);
  await expect(closeAll(closers)).rejects.toThrow(/^listener$/);
  expect(closed).toEqual(ALL);
});

it('throws all errors where several fail', async () => {
  const { closed, closers } = opened(['listener', 'store']);
  const errors = [new Error('listener'), new Error('store')];
  await expect(closeAll(closers)).rejects.toMatchObject({ name: 'AggregateError', errors });
  expect(closed).toEqual(ALL);
});
