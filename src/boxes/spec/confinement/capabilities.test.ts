import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { ALL_CAPABILITIES, checkCapabilities, tweakCapabilities } from './capabilities.ts';
import { DEFAULT_CONFINEMENT } from './confinement.ts';

const USUAL = DEFAULT_CONFINEMENT.capabilities;

it('knows the capabilities that the agent knows, in the same order', () => {
  const source = join(import.meta.dirname, '../../../../native/agent/capability/capability.go');
  const names = readFileSync(source, 'utf8').match(/"CAP_[A-Z_]+"/g) ?? [];
  expect(names.map((name) => JSON.parse(name))).toEqual(ALL_CAPABILITIES);
});

describe('tweakCapabilities', () => {
  it.each([
    ['nothing', [], [], USUAL],
    ['an addition', ['net_admin'], [], [...USUAL, 'CAP_NET_ADMIN'].sort()],
    ['a drop', [], ['Cap_Chown'], USUAL.filter((name) => name !== 'CAP_CHOWN')],
    ['both of one, which adds it', ['CHOWN'], ['CHOWN'], USUAL],
    ['the drop of all', [], ['all'], []],
    ['the drop of all but one', ['cap_sys_time'], ['ALL'], ['CAP_SYS_TIME']],
    ['the addition of all', ['ALL'], [], ALL_CAPABILITIES],
    ['all but one', ['all'], ['kill'], ALL_CAPABILITIES.filter((name) => name !== 'CAP_KILL')],
    ['all, added and dropped', ['all'], ['all'], ALL_CAPABILITIES],
  ])('changes capabilities with %s as Docker does', (_, added, dropped, expected) => {
    expect(tweakCapabilities(USUAL, added, dropped)).toEqual(expected);
  });
});

it.each([
  ['foo', 'CapAdd', 'invalid CapAdd: unknown capability: "CAP_FOO"'],
  ['', 'CapDrop', 'invalid CapDrop: unknown capability: "CAP_"'],
] as const)('refuses the capability %j of %s in Docker’s words', (name, field, message) => {
  expect(() => checkCapabilities(['all', 'Chown', name], field)).toThrow(
    expect.objectContaining({ code: 'invalid-argument', message }),
  );
});
