import { FUZZ_TIMEOUT, fuzz } from '@a3s-box/test-fuzz';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { A3sError } from '../../errors.ts';
import { parsePruneTime } from './prune-time.ts';

const NOW = Date.UTC(2026, 0, 31, 12);

describe('the until filter of a prune', () => {
  it.each([
    ['24h', NOW - 86_400_000],
    ['1h30m', NOW - 5_400_000],
    ['1.5h', NOW - 5_400_000],
    ['10ms', NOW - 10],
    ['0', 0],
    ['1767225600', 1_767_225_600_000],
    ['1767225600.5', 1_767_225_600_500],
    ['2026-01-01T00:00:00Z', Date.UTC(2026, 0, 1)],
    ['2026-01-01T00:00:00.123456789Z', Date.UTC(2026, 0, 1) + 123],
    ['2026-01-01T02:00:00+02:00', Date.UTC(2026, 0, 1)],
    ['2026-01-01Z', Date.UTC(2026, 0, 1)],
    ['2026-01-01T07Z', Date.UTC(2026, 0, 1, 7)],
    ['2026-01-01', new Date(2026, 0, 1).getTime()],
    ['2026-01-01T07', new Date(2026, 0, 1, 7).getTime()],
    ['2026-01-01T07:08:09', new Date(2026, 0, 1, 7, 8, 9).getTime()],
  ])('reads the prune filter until=%s as a moment', (text, time) => {
    expect(parsePruneTime(text, NOW)).toBe(time);
  });

  it.each(['', 'yesterday', '-1h', '1h ago', '2026-13-01', '2026-01-01T25:00', '1d'])(
    'refuses the prune filter until=%j',
    (text) => {
      expect(() => parsePruneTime(text, NOW)).toThrow(
        expect.objectContaining({ code: 'invalid-argument' }),
      );
    },
  );

  it(
    'reads or refuses any text of the prune filter until',
    async () => {
      const piece = fc.constantFrom('1', '2026-01-01', 'T', ':00', 'Z', '+', 'h', 'ms', '.', '-');
      const text = fc.array(piece, { maxLength: 8 }).map((parts) => parts.join(''));
      await fuzz(
        fc.asyncProperty(fc.oneof(text, fc.string()), async (value) => {
          try {
            expect(Number.isFinite(parsePruneTime(value, NOW))).toBe(true);
          } catch (error) {
            expect(error).toBeInstanceOf(A3sError);
          }
        }),
      );
    },
    FUZZ_TIMEOUT,
  );
});
