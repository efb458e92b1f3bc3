/**
 * The schema of a home, as an ordered list of steps. Steps are only appended.
 *
 * @module
 */
import { POOL_MIGRATIONS } from '../../boxes/pool/records.ts';
import { BOX_MIGRATIONS } from '../../boxes/record/store.ts';
import { firstMigrations, laterMigrations } from '../../images/catalog/catalog-migrations.ts';
import { NETWORK_MIGRATIONS } from '../../networks/records.ts';
import { POD_MIGRATIONS } from '../../pods/record/store.ts';
import { SNAPSHOT_MIGRATIONS } from '../../snapshots/records.ts';
import type { Migrations } from '../../state/database.ts';
import { VOLUME_MIGRATIONS } from '../../volumes/records.ts';

export const MIGRATIONS: Migrations = [
  ...BOX_MIGRATIONS,
  ...firstMigrations,
  ...SNAPSHOT_MIGRATIONS,
  ...POOL_MIGRATIONS,
  ...VOLUME_MIGRATIONS,
  ...NETWORK_MIGRATIONS,
  ...laterMigrations,
  ...POD_MIGRATIONS,
];
