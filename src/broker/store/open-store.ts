/**
 * Opens the broker's store, whatever database holds it.
 *
 * @module
 */
import type { PostgresAddress } from './postgres-client.ts';
import { openPostgresStore } from './postgres-store.ts';
import { openSqliteStore } from './sqlite-store.ts';
import type { BrokerStore } from './store.ts';

/** The path of a file of SQLite, or where a database of PostgreSQL is. */
export type StorePlace = string | PostgresAddress;

/** @throws A3sError `broker-running`, `broker-store`, `broker-config`, `disk-full` */
export async function openStore(place: StorePlace): Promise<BrokerStore> {
  return typeof place === 'string' ? openSqliteStore(place) : openPostgresStore(place);
}
