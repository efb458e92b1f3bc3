import { describe, expect, it } from 'vitest';
import { RatlsConnections } from './ratls-connections.ts';

function fixture() {
  const closed: string[] = [];
  let now = 0;
  const connections = new RatlsConnections({
    limit: 2,
    now: () => now,
    pick: (count) => count - 1,
  });
  return {
    connections,
    closed,
    wait: (ms: number) => {
      now += ms;
    },
    admit: (name: string) => connections.admit(() => void closed.push(name)),
  };
}

describe('connections to the RA-TLS server of a box', () => {
  it('refuses a new connection while all open ones are recent', () => {
    const { admit, wait, closed, connections } = fixture();
    admit('first');
    wait(1000);
    admit('second');
    wait(3999);
    expect(admit('early')).toBeUndefined();
    expect(closed).toEqual([]);
    expect(connections.count).toBe(2);
  });

  it('closes a connection that is not recent to admit a new one', () => {
    const { admit, wait, closed, connections } = fixture();
    admit('first');
    wait(1000);
    admit('second');
    wait(4000);
    expect(admit('third')).toBeDefined();
    expect(closed).toEqual(['first']);
    expect(admit('fourth')).toBeUndefined();
    wait(5000);
    expect(admit('fifth')).toBeDefined();
    expect(closed).toEqual(['first', 'third']);
    expect(connections.count).toBe(2);
  });

  it('closes no connection while there is room', () => {
    const { admit, wait, closed, connections } = fixture();
    const leave = admit('first');
    admit('second');
    wait(60_000);
    leave?.();
    leave?.();
    expect(admit('third')).toBeDefined();
    expect(closed).toEqual([]);
    expect(connections.count).toBe(2);
  });

  it('counts a connection once when it was closed for another one', () => {
    const { connections, wait, admit } = fixture();
    const leave = connections.admit(() => leave?.());
    admit('second');
    wait(5000);
    admit('third');
    admit('fourth');
    expect(connections.count).toBe(2);
  });
});
