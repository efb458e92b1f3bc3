import { expect, it } from 'vitest';
import { featuresOf } from './cpu-model.ts';

const cpu = (mhz: number, microcode: string, flags: string): string =>
  `processor\t: 0\ncpu MHz\t\t: ${mhz}\nmicrocode\t: ${microcode}\nflags\t\t: ${flags}\n`;

it('identifies a CPU by its features and its microcode, and by nothing that changes by itself', () => {
  const features = featuresOf(`${cpu(1000, '0x1', 'fpu rtm')}\n${cpu(900, '0x1', 'fpu rtm')}\n`);
  expect(features).toMatch(/^[0-9a-f]{64}$/);
  expect(featuresOf(cpu(2000, '0x1', 'fpu rtm'))).toBe(features);
  expect(featuresOf(cpu(1000, '0x1', 'fpu'))).not.toBe(features);
  expect(featuresOf(cpu(1000, '0x2', 'fpu rtm'))).not.toBe(features);
});
