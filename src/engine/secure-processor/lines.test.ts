import { FUZZ_TIMEOUT, fuzz } from '@a3s-box/test-fuzz';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { LineReader } from './lines.ts';

const read = (limit: number, chunks: readonly string[]): string[] => {
  const reader = new LineReader(limit);
  return chunks.flatMap((chunk) => [...reader.push(Buffer.from(chunk))].map(String));
};

it('joins lines, whatever pieces they come in', () => {
  expect(read(8, ['a', 'b\nc', '\n', '\nd\n\ne'])).toEqual(['ab', 'c', 'd']);
});

it('drops a line that is too long, up to its end, and nothing else', () => {
  expect(read(3, ['abc\nabcd\n', 'ab', 'cd', 'x'.repeat(100), '\nfg\n'])).toEqual(['abc', 'fg']);
});

it('buffers no more than one line of maximum length', () => {
  const reader = new LineReader(16);
  const chunk = Buffer.alloc(65_536, 'x');
  const before = process.memoryUsage().arrayBuffers;
  for (let n = 0; n < 1000; n++) expect([...reader.push(chunk)]).toEqual([]);
  expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(2 ** 20);
  expect([...reader.push(Buffer.from('\nnext\n'))].map(String)).toEqual(['next']);
});

it('finds the same lines however a stream is cut', { timeout: FUZZ_TIMEOUT }, async () => {
  const pieces = fc.array(fc.string({ unit: fc.constantFrom('\n', 'a', 'b'), maxLength: 12 }));
  const property = fc.property(pieces, (chunks) => {
    const whole = chunks.join('');
    const complete = whole.split('\n').slice(0, -1);
    const expected = complete.filter((line) => line.length > 0 && line.length <= 5);
    expect(read(5, chunks)).toEqual(expected);
  });
  await fuzz(property);
});
