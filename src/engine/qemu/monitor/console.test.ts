import { expect, it } from 'vitest';
import { panicReason } from './console.ts';

it('finds why a kernel panicked', () => {
  const text = '[ 2.4] Kernel panic - not syncing: sysrq triggered crash\r\n[ 2.4] CPU: 0\r\n';
  expect(panicReason(Buffer.from(text))).toBe('Kernel panic - not syncing: sysrq triggered crash');
});

it('is empty without a panic', () => {
  expect(panicReason(Buffer.from('reboot: Power down'))).toBe('');
});

it('lets nothing through that a terminal would act on', () => {
  const reason = panicReason(Buffer.from('Kernel panic - not syncing: \u001b[2Jx\u0007'));
  expect(reason).toBe('Kernel panic - not syncing: ?[2Jx?');
  expect(panicReason(Buffer.from(`Kernel panic - not syncing: ${'y'.repeat(9000)}`))).toHaveLength(
    400,
  );
});
