import { describe, expect, it } from 'vitest';
import { Room } from './room.ts';

/** A room of four places, and what was reset in it. */
function fourPlaces() {
  const room = new Room(4);
  const reset: string[] = [];
  const enter = (address: string, name = address) => room.enter(address, () => reset.push(name));
  return { enter, reset };
}

describe('the room of connections', () => {
  it('keeps a client with all places from keeping another network out', () => {
    const { enter, reset } = fourPlaces();
    // One host can have all addresses of its network.
    for (const number of [1, 2, 3, 4]) enter(`2001:db8::${number}`);
    expect(enter('2001:db8:0:1::1')).toBeDefined();
    expect(enter('2001:db8:0:1::1')).toBeDefined();
    expect(reset).toHaveLength(2);
    // Both have two.
    expect(enter('2001:db8:0:1::1')).toBeUndefined();
    expect(enter('2001:db8::9')).toBeUndefined();
    expect(reset).toHaveLength(2);
  });

  it('resets the connection that came last of the address with most of them', () => {
    const { enter, reset } = fourPlaces();
    enter('fe80::1%eth0', 'first');
    enter('fe80::1%eth0', 'second');
    enter('fe80::1%eth0', 'third');
    enter('fe80::2%eth0', 'other');
    expect(enter('fe80::3%eth0')).toBeDefined();
    expect(reset).toEqual(['third']);
    expect(enter('fe80::1%eth0')).toBeUndefined();
    expect(enter('fe80::2%eth0')).toBeUndefined();
  });

  it('keeps a neighbor of a client from being kept out where another network has as many places', () => {
    const { enter, reset } = fourPlaces();
    for (const name of ['far 1', 'far 2']) enter('2001:db8::1', name);
    for (const name of ['near 1', 'near 2']) enter('2001:db8:0:1::1', name);
    expect(enter('2001:db8:0:1::2')).toBeDefined();
    expect(reset).toEqual(['near 2']);
    expect(enter('2001:db8:0:1::3')).toBeUndefined();
  });

  it('refuses one more of a client that has all places alone', () => {
    const { enter, reset } = fourPlaces();
    for (const name of ['1', '2', '3', '4']) enter('::1', name);
    expect(enter('::1')).toBeUndefined();
    expect(reset).toEqual([]);
  });

  it('gives places that were left, each once, and none to a client that is gone', () => {
    const { enter, reset } = fourPlaces();
    const [leave] = ['1', '2', '3', '4'].map((name) => enter('::1', name));
    leave?.();
    leave?.();
    expect(enter('::1')).toBeDefined();
    expect(enter('::1')).toBeUndefined();
    // The place of one that was reset is another's by then.
    expect(enter('2001:db8::1')).toBeDefined();
    leave?.();
    expect(enter('::1')).toBeUndefined();
    expect(new Room(1).enter(undefined, () => undefined)).toBeUndefined();
    expect(reset).toHaveLength(1);
  });
});
