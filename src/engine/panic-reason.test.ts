import { expect, it } from 'vitest';
import { panicReason } from './panic-reason.ts';

it('finds the reason of a kernel panic on the console', () => {
  const text = '[ 2.4] Kernel panic - not syncing: sysrq triggered crash\r\n[ 2.4] CPU: 0\r\n';
  expect(panicReason(Buffer.from(text))).toBe('Kernel panic - not syncing: sysrq triggered crash');
});

it('finds no reason on a console without a kernel panic', () => {
  expect(panicReason(Buffer.from('reboot: Power down'))).toBe('');
});

it('replaces control characters in the reason of a panic, and bounds its length', () => {
  const reason = panicReason(Buffer.from('Kernel panic - not syncing: \u001b[2Jx\u0007'));
  expect(reason).toBe('Kernel panic - not syncing: ?[2Jx?');
  expect(panicReason(Buffer.from(`Kernel panic - not syncing: ${'y'.repeat(9000)}`))).toHaveLength(
    400,
  );
});
