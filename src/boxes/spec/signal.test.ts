import { describe, expect, it } from 'vitest';
import { parseSignal } from './signal.ts';

describe('signals', () => {
  it.each([
    ['TERM', 'SIGTERM'],
    ['sigterm', 'SIGTERM'],
    ['15', '15'],
    ['RTMIN+3', 'SIGRTMIN+3'],
  ])('reads the signal %s as %s', (text, signal) => {
    expect(parseSignal(text)).toBe(signal);
  });

  it.each(['', '0', '65', 'SIGNOPE', 'constructor', '-9', '9x'])(
    'refuses the signal %j',
    (text) => {
      expect(() => parseSignal(text)).toThrow(
        expect.objectContaining({ code: 'invalid-argument' }),
      );
    },
  );
});
