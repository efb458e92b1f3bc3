import { expect, it } from 'vitest';
import { availableBytes, checkMemory } from './memory.ts';

it('reads the available memory from /proc/meminfo', () => {
  expect(availableBytes('MemTotal: 9 kB\nMemAvailable:      100 kB\n')).toBe(102_400);
  expect(availableBytes('MemTotal: 9 kB\n')).toBeUndefined();
});

it('refuses a microVM that the host has no memory for', async () => {
  await expect(checkMemory(2 ** 60)).rejects.toMatchObject({ code: 'out-of-memory' });
  await checkMemory(2 ** 20);
});
