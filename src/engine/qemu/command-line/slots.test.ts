import { expect, it } from 'vitest';
import type { VmSpec } from '../../vm/vm-spec.ts';
import { extraSlots, rootPorts, shareSlots, templatePorts } from './slots.ts';

const spec = (disks: number, shares: number): VmSpec =>
  ({
    disks: Array.from({ length: disks }, (_, n) => ({ path: '/d', serial: `d-${n}` })),
    shares: Array.from({ length: shares }, (_, n) => ({ tag: `s-${n}`, path: '/s' })),
  }) as unknown as VmSpec;

it.each([20, 64])('gives each of %i shares of a microVM that boots a slot of its own', (count) => {
  const places = shareSlots(spec(9, count));
  expect(new Set(places.map(([, { bus, addr }]) => `${bus} ${addr}`)).size).toBe(count);
  const ports = rootPorts(spec(9, count));
  expect(places.every(([, { bus }]) => Number(bus.slice(2)) < ports)).toBe(true);
  // A root complex has 32 places, of which some are taken.
  expect(ports).toBeLessThan(24);
});

it('gives a microVM from a template room for 24 shares and a writable layer of its own', () => {
  expect(extraSlots(spec(1, 24))?.shares).toHaveLength(24);
  expect(extraSlots(spec(1, 25))).toBeUndefined();
});

it('gives a template the ports that its shape asks for, and those of all templates at least', () => {
  expect([undefined, 1, 4, 13].map((sparePorts) => templatePorts({ sparePorts }))).toEqual([
    6, 6, 6, 15,
  ]);
  const pod = { ...spec(0, 1), sparePorts: 13 };
  expect(extraSlots(pod)?.shares).toMatchObject([[0, { bus: 'rp2' }]]);
  expect(templatePorts(pod)).toBe(rootPorts(pod));
  expect(extraSlots({ ...spec(1, 12 * 8), sparePorts: 13 })).toBeDefined();
  expect(extraSlots({ ...spec(1, 12 * 8 + 1), sparePorts: 13 })).toBeUndefined();
});
