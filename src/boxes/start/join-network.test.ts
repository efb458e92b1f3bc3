import { expect, it } from 'vitest';
import { NO_NAMES } from '../record/names.ts';
import { ownNetwork } from './join-network.ts';

const box = { id: 'a'.repeat(64), names: NO_NAMES };

it('gives no box of a user-defined network a network of its own instead', async () => {
  await expect(ownNetwork({ ...box, network: 'user' }, [])).rejects.toMatchObject({
    code: 'internal',
  });
  expect(await ownNetwork({ ...box, network: 'none' }, [])).toMatchObject({ nic: undefined });
  expect(await ownNetwork({ ...box, network: 'default' }, [])).toMatchObject({
    nic: { ports: [] },
  });
});
