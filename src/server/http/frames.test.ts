import { fuzzRuns } from '@a3s-box/test-fuzz';
import { fc, test as fuzz } from '@fast-check/vitest';
import { describe, expect, it } from 'vitest';
import { type Frame, framesIn } from '../testing/frames.ts';
import { LogFrames, lineFrames } from './frames.ts';

function logOf(...pieces: readonly Frame[]): Frame[] {
  const frames = new LogFrames();
  const all = pieces.map(([stream, text]) =>
    frames.take(stream === 1 ? 1 : 2, Buffer.from(text, 'latin1')),
  );
  return framesIn(Buffer.concat([...all, frames.end()]));
}

describe('output of a client that is attached', () => {
  it('puts each line of attached output into a frame of its own, and the rest into another', () => {
    expect(framesIn(lineFrames(1, Buffer.from('one\ntwo\n\nrest')))).toEqual([
      ...[[1, 'one\n'] as const, [1, 'two\n'] as const, [1, '\n'] as const, [1, 'rest'] as const],
    ]);
    expect(lineFrames(2, Buffer.alloc(0))).toHaveLength(0);
  });
});

describe('lines of a log', () => {
  it('splits a log chunk with several lines into frames', () => {
    expect(logOf([1, 'one\ntwo\n'], [2, 'err\n'])).toEqual([
      ...[[1, 'one\n'] as const, [1, 'two\n'] as const, [2, 'err\n'] as const],
    ]);
  });

  it('joins the pieces of a log line into one frame, also when streams interleave', () => {
    expect(logOf([1, 'o'], [2, 'err\n'], [1, 'n'], [1, 'e\ntw'], [1, 'o'])).toEqual([
      ...[[2, 'err\n'] as const, [1, 'one\n'] as const, [1, 'two'] as const],
    ]);
  });

  it('splits log lines at Docker’s maximum length', () => {
    const [first, second, ...more] = logOf([1, 'x'.repeat(20_000)], [1, 'y\n']);
    expect(first?.[1]).toHaveLength(16_384);
    expect(second?.[1]).toBe(`${'x'.repeat(20_000 - 16_384)}y\n`);
    expect(more).toEqual([]);
  });
});

const piece = fc.tuple(
  fc.constantFrom(1, 2),
  fc.string({ unit: fc.constantFrom('a', '\n'), minLength: 1, maxLength: 8 }),
);

fuzz.prop([fc.array(piece, { maxLength: 8 })], fuzzRuns())(
  'loses nothing of either stream, and never puts two lines into a frame',
  (pieces) => {
    const frames = logOf(...pieces);
    for (const stream of [1, 2]) {
      const of = (list: readonly Frame[]) =>
        list.filter(([each]) => each === stream).map(([, text]) => text);
      const whole = of(pieces).join('');
      expect(of(frames)).toEqual(whole === '' ? [] : whole.split(/(?<=\n)/));
    }
  },
);
