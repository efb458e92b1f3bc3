import { expect, it } from 'vitest';
import { canonicalArguments } from './template-inputs.ts';

const HOST = { accelerator: 'tcg', memoryBytes: 2 ** 29, growthBytes: 2 ** 33 } as const;
const BOOT = { kernelPath: '/k', initrdPath: '/i', commandLine: [] };

it('gives a template with more ports arguments of its own, and one with no more those of all', () => {
  const of = (sparePorts?: number): string[] =>
    canonicalArguments({ cpus: 1, boot: BOOT, sparePorts }, { ...HOST, tscKhz: undefined });
  expect(of(4)).toEqual(of());
  expect(of(13).filter((each) => each.startsWith('pcie-root-port'))).toHaveLength(15);
  expect(of(13)).not.toEqual(of());
});
