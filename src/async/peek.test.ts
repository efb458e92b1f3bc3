import { expect, it } from 'vitest';
import { peek } from './peek.ts';

async function* source(chunks: readonly string[], ended: () => void) {
  try {
    for (const chunk of chunks) yield Buffer.from(chunk);
  } finally {
    ended();
  }
}

it.each([
  [['ab', 'cd', 'ef'], 'abcd'],
  [['abcdef'], 'abcdef'],
  [['a'], 'a'],
  [[], ''],
])('shows the first bytes of %j, and gives all of them', async (chunks, head) => {
  const { decided, whole } = await peek(
    source(chunks, () => undefined),
    3,
    String,
  );
  expect(decided).toBe(head);
  const all: Uint8Array[] = [];
  for await (const chunk of whole) all.push(chunk);
  expect(Buffer.concat(all).toString()).toBe(chunks.join(''));
});

it('ends the source where the first bytes are refused, and where nothing more is read', async () => {
  let ended = 0;
  const refuse = (): never => {
    throw new Error('no');
  };
  await expect(
    peek(
      source(['a', 'b'], () => (ended += 1)),
      1,
      refuse,
    ),
  ).rejects.toThrow('no');
  expect(ended).toBe(1);
  const { whole } = await peek(
    source(['a', 'b'], () => (ended += 1)),
    1,
    String,
  );
  await whole.return?.();
  expect(ended).toBe(2);
});
