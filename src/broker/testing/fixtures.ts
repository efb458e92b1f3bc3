/**
 * What tests of the broker have in common: a directory, keys, an administrator's events.
 *
 * @module
 */
import { generateKeyPairSync } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { AuditLog } from '../audit/audit-log.ts';
import { logHeadPath } from '../audit/log-head.ts';
import { createRootKeyFile, openRootKeyFile } from '../keys/file-root-keys.ts';
import type { RootKeys } from '../keys/root-keys.ts';
import { openSqliteStore } from '../store/sqlite-store.ts';
import type { BrokerStore } from '../store/store.ts';
import { Vault } from '../vault/vault.ts';

export const AUDIT_KEY = generateKeyPairSync('ed25519').privateKey;
export const NOW = new Date('2026-06-01T00:00:00Z');

export interface TestDirectory extends AsyncDisposable {
  readonly path: string;
  readonly rootKey: string;
  readonly database: string;
}

export async function testDirectory(): Promise<TestDirectory> {
  const path = mkdtempSync(join(tmpdir(), 'a3s-broker-'));
  const rootKey = join(path, 'root.key');
  await createRootKeyFile(rootKey);
  return {
    path,
    rootKey,
    database: join(path, 'broker.db'),
    [Symbol.asyncDispose]: async () => rmSync(path, { recursive: true }),
  };
}

export interface TestStore extends AsyncDisposable {
  readonly store: BrokerStore;
  readonly keys: RootKeys;
  readonly vault: Vault;
  readonly audit: AuditLog;
}

/** Opens all of a directory, as a broker that starts does. */
export async function openTestStore(directory: TestDirectory, every = 1000): Promise<TestStore> {
  const store = openSqliteStore(directory.database);
  const errors: unknown[] = [];
  try {
    const keys = await openRootKeyFile(directory.rootKey);
    const vault = await Vault.open(store, keys);
    const head = logHeadPath(directory.rootKey);
    const onError = (error: unknown): void => void errors.push(error);
    const options = { key: AUDIT_KEY, checkpointEntries: every, now: () => NOW, head, onError };
    const audit = await AuditLog.open(store, options);
    const close = async (): Promise<void> => {
      // Without a checkpoint at the end, as after a power cut; what is being written is awaited.
      await audit.saved();
      await store.close();
      if (errors.length > 0) throw errors[0];
    };
    return { store, keys, vault, audit, [Symbol.asyncDispose]: close };
  } catch (error) {
    await store.close();
    throw error;
  }
}

export const SECRET = { tenant: 'default', kind: 'secret', name: 'default/key/one' } as const;
