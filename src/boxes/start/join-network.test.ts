import { expect, it } from 'vitest';
import { ownNetwork } from './join-network.ts';

const id = 'a'.repeat(64);

it('gives no box of a user-defined network a network of its own instead', () => {
  expect(() => ownNetwork({ id, network: 'user' }, [])).toThrow(
    expect.objectContaining({ code: 'internal' }),
  );
  expect(ownNetwork({ id, network: 'none' }, []).nic).toBeUndefined();
  expect(ownNetwork({ id, network: 'default' }, []).nic).toMatchObject({ ports: [] });
});
