import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { PoolHome } from '../../server/testing/pool-home.ts';
import { openDatabase } from '../../state/database.ts';
import { Pools } from './pools.ts';
import { POOL_MIGRATIONS, PoolRecords } from './records.ts';

let home: PoolHome;
beforeEach(async () => {
  home = new PoolHome();
  await home.serve();
});
afterEach(() => home.remove());

it('fills a pool beside work on a box that does not end', async () => {
  // The server opens its own pools once it answers.
  await expect.poll(() => existsSync(join(home.config.home, 'pools'))).toBe(true);
  const definition = {
    name: 'other',
    size: 1,
    cpus: 1,
    memoryBytes: 0,
    network: 'none',
    mounts: true,
    pods: false,
  } as const;
  const database = openDatabase(join(home.config.home, 'pools.db'), POOL_MIGRATIONS);
  const release = await home.runtime.locks.acquire('a box');
  const pools = new Pools(home.runtime, new PoolRecords(database), 300);
  try {
    await pools.open();
    await pools.set(definition);
    await expect.poll(() => pools.inspect('other').ready, { timeout: 10_000 }).toBe(1);
  } finally {
    release();
    await pools.close();
    database.close();
  }
});
