import { describe, expect, it } from 'vitest';
import {
  cpuSignature,
  describeSignature,
  isVcpuType,
  VCPU_SIGNATURES,
  VCPU_TYPES,
} from './vcpu-types.ts';

describe('vCPU models', () => {
  it.each([
    ['EPYC-v4', 0x800f12],
    ['EPYC-IBPB', 0x800f12],
    ['EPYC-Rome', 0x830f10],
    ['EPYC-Milan-v2', 0xa00f11],
    ['EPYC-Genoa', 0xa10f10],
    ['EPYC-Turin', 0xb00f00],
  ] as const)('knows the CPU signature of %s', (type, signature) => {
    expect(VCPU_SIGNATURES[type]).toBe(signature);
  });

  it('encodes the CPU signature of a family without an extended family', () => {
    expect(cpuSignature(6, 15, 1)).toBe(0x6f1);
  });

  it('recognises vCPU models by name', () => {
    expect(VCPU_TYPES.every(isVcpuType)).toBe(true);
    expect(isVcpuType('toString')).toBe(false);
  });

  it('lists vCPU signatures with all their model names', () => {
    expect(describeSignature(0xb00f00)).toBe('0xb00f00 (EPYC-Turin, EPYC-Turin-v1)');
    expect(describeSignature(0x600)).toBe('0x600');
  });
});
