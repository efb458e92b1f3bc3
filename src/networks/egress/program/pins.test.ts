import { parseNetworkPolicy } from '@a3s-box/policies/network-policy';
import { describe, expect, it } from 'vitest';
import { Pins } from './pins.ts';

function pinsOf(...policies: string[][]) {
  let time = 100;
  const added: string[] = [];
  const pins = new Pins(
    policies.map((rules) => parseNetworkPolicy({ rules })),
    async (elements) => {
      for (const { set, address, seconds } of elements) added.push(`${set} ${address} ${seconds}`);
    },
    () => time,
  );
  return {
    ...{ pins, added },
    pass: (seconds: number) => {
      time += seconds;
    },
  };
}

describe('the addresses of a name', () => {
  it('adds the addresses of a name to the sets of all rules about it, in all policies', async () => {
    const { pins, added } = pinsOf(
      ['allow:*.a.example', 'allow:b.example', 'deny:x.a.example:udp'],
      ['allow:x.a.example'],
    );
    await pins.add('x.a.example', [1, 2], 60);
    expect(added).toEqual([
      ...['p0r0 1 65', 'p0r0 2 65', 'p0r2 1 65', 'p0r2 2 65', 'p1r0 1 65', 'p1r0 2 65'],
    ]);
  });

  it('keeps an address for the time of the answer, at least half a minute and at most an hour', async () => {
    const { pins, added, pass } = pinsOf(['allow:*.example']);
    await pins.add('a.example', [1], 0);
    await pins.add('b.example', [2], 999_999);
    expect(added).toEqual(['p0r0 1 35', 'p0r0 2 3605']);
    pass(34);
    expect(pins.addressesOf('a.example')).toEqual([1]);
    pass(1);
    expect(pins.addressesOf('a.example')).toEqual([]);
    expect(pins.addressesOf('b.example')).toEqual([2]);
  });

  it('sends an address to the packet filter again only where it ends before the answer does', async () => {
    const { pins, added, pass } = pinsOf(['allow:*.example']);
    await pins.add('a.example', [1], 20);
    await pins.add('a.example', [1], 10);
    expect(added).toHaveLength(1);
    pass(10);
    await pins.add('a.example', [1], 25);
    expect(added).toHaveLength(2);
  });

  it('forgets an address that could not be opened', async () => {
    const policy = parseNetworkPolicy({ rules: ['allow:*.example'] });
    const fail = () => Promise.reject(new Error('full'));
    const pins = new Pins([policy], fail, () => 1);
    await expect(pins.add('a.example', [1], 60)).rejects.toThrow('full');
    expect(pins.addressesOf('a.example')).toEqual([]);
  });

  it('opens addresses by rules that allow a name, as long as the packet filter has them', async () => {
    const { pins, pass } = pinsOf(['deny:a.example:udp', 'allow:b.example']);
    await pins.add('a.example', [1], 60);
    await pins.add('b.example', [2], 60);
    expect([1, 2].map((address) => pins.isOpen(address))).toEqual([false, true]);
    pass(65);
    expect(pins.isOpen(2)).toBe(false);
  });

  it('knows the addresses of a bounded number of names, those that were asked for last', async () => {
    const { pins } = pinsOf([]);
    for (let at = 0; at < 5000; at += 1) {
      await pins.add(`n${at}.example`, [at], 3600);
      await pins.add('often.example', [1], 3600);
    }
    expect(pins.addressesOf('n0.example')).toEqual([]);
    expect(pins.addressesOf('n903.example')).toEqual([]);
    expect(pins.addressesOf('n905.example')).toEqual([905]);
    expect(pins.addressesOf('often.example')).toEqual([1]);
  });

  it('bounds the addresses of a name whose answers are others each time', async () => {
    const { pins } = pinsOf([]);
    for (let at = 1; at <= 200; at += 1) await pins.add('a.example', [at], 3600);
    const known = pins.addressesOf('a.example');
    expect([known.length, known[0], known.at(-1)]).toEqual([64, 137, 200]);
  });

  it('refuses addresses where too many are open, until the time of others has passed', async () => {
    const { pins, pass } = pinsOf(['allow:*.example']);
    for (let at = 0; at < 16_384; at += 1) await pins.add(`n${at % 100}.example`, [at], 60);
    await expect(pins.add('a.example', [99_999], 60)).rejects.toThrow('too many addresses');
    expect(pins.addressesOf('a.example')).toEqual([]);
    pass(66);
    await pins.add('a.example', [99_999], 60);
    expect(pins.addressesOf('a.example')).toEqual([99_999]);
  });
});
