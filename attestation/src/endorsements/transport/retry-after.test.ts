import { describe, expect, it } from 'vitest';
import { retryAfter } from './retry-after.ts';

const NOW = Date.parse('2026-03-01T12:00:00Z');

describe('retryAfter', () => {
  it('reads Retry-After as seconds', () => {
    expect(retryAfter('0', NOW)).toBe(0);
    expect(retryAfter('12', NOW)).toBe(12_000);
  });

  it('reads Retry-After as a date', () => {
    expect(retryAfter('Sun, 01 Mar 2026 12:00:30 GMT', NOW)).toBe(30_000);
    expect(retryAfter('Sun, 01 Mar 2026 11:00:00 GMT', NOW)).toBe(0);
  });

  it.each([
    null,
    '',
    '-1',
    '1.5',
    '9'.repeat(10),
    'soon',
    '2026-03-01T12:00:30Z',
    'Sun, 99 Xyz 2026 12:00:30 GMT',
  ])('ignores the Retry-After header %j', (header) => {
    expect(retryAfter(header, NOW)).toBeUndefined();
  });
});
