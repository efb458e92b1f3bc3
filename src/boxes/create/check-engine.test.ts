import { expect, it } from 'vitest';
import { checkEngineMounts } from './check-engine.ts';
import type { Mounts } from './mounts.ts';

it('refuses bind mounts and volumes with libkrun alone', () => {
  const none = { binds: [], volumeMounts: [] } as unknown as Mounts;
  const some = { binds: [{}], volumeMounts: [] } as unknown as Mounts;
  const krun = { name: 'krun', by: 'request' } as const;
  checkEngineMounts(krun, none);
  checkEngineMounts(undefined, some);
  expect(() => checkEngineMounts(krun, some)).toThrow(
    expect.objectContaining({
      code: 'engine-unsupported',
      message: expect.stringContaining('bind mounts or volumes: the engine krun'),
    }),
  );
});
