import { expect, it } from 'vitest';
import { FakeEngine, FakeHost } from '../../engine/testing/fake.ts';
import { checkEngineMounts } from './check-engine.ts';
import type { Mounts } from './mounts.ts';

it('refuses bind mounts and volumes where the engine has no shares', async () => {
  const none = { binds: [], volumeMounts: [] } as unknown as Mounts;
  const some = { binds: [{}], volumeMounts: [] } as unknown as Mounts;
  const krun = { name: 'krun', by: 'request' } as const;
  const host = new FakeHost(() => () => {});
  const rt = { engine: new FakeEngine(host) };
  await checkEngineMounts(rt, krun, some);
  host.withoutShares.set('krun', 'has no shares');
  await checkEngineMounts(rt, krun, none);
  await checkEngineMounts(rt, undefined, some);
  await expect(checkEngineMounts(rt, krun, some)).rejects.toMatchObject({
    code: 'engine-unsupported',
    message: expect.stringContaining('bind mounts or volumes: the engine krun has no shares'),
  });
});
