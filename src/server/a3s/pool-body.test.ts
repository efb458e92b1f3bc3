import { expect, it } from 'vitest';
import { PoolDefinition } from '../../boxes/pool/definition.ts';
import { PoolBody } from '../../docker-api/a3s/pool.ts';

const GOOD = { size: 1, cpus: 1, memoryBytes: 0, network: 'default', mounts: true, pods: false };

it.each([
  ...[-1, 0, 0.5, 64, 65].map((size) => ({ size })),
  ...[0, 1, 1024, 1025].map((cpus) => ({ cpus })),
  ...[-1, 0, 2 ** 40, '1g'].map((memoryBytes) => ({ memoryBytes })),
  ...['default', 'none', 'bridge'].map((network) => ({ network })),
  ...[true, false, 'yes'].map((mounts) => ({ mounts })),
  ...[true, false, 'yes'].map((pods) => ({ pods })),
  { more: true },
])('the document of a pool takes %j exactly where its record does', (change) => {
  const asked = { ...GOOD, ...change };
  const isRecord = PoolDefinition.safeParse({ ...asked, name: 'default' }).success;
  expect(PoolBody.safeParse(asked).success).toBe(isRecord);
});

it('a pool that says only its size has what the record needs', () => {
  expect(PoolDefinition.parse({ ...PoolBody.parse({ size: 2 }), name: 'default' })).toMatchObject({
    ...{ size: 2, cpus: 1, memoryBytes: 0, network: 'default', mounts: true },
    pods: false,
  });
});
