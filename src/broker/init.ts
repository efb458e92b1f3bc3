/**
 * Makes what a new broker needs: its root key, the key of its audit log, and that of attestation
 * results where the configuration names one. Only this makes them: a
 * broker whose key file is missing does not start.
 *
 * @module
 */
import { statSync } from 'node:fs';
import { dirname } from 'node:path';
import { A3sError } from '../errors.ts';
import { makeDirectories } from '../make-directories.ts';
import type { BrokerConfig } from './config/broker-yaml.ts';
import { createRootKeys, rootKeyFile } from './keys/open-root-keys.ts';
import { createSigningKeyFile, openSigningKeyFile, publicPem } from './keys/signing-key.ts';
import { openStore, type StorePlace } from './store/open-store.ts';
import { isUsed } from './vault/vault.ts';

/**
 * The public key of the audit log, PEM.
 *
 * @throws A3sError `broker-conflict` where any of it exists
 */
export async function initBroker(config: BrokerConfig): Promise<string> {
  const { store, rootKey, auditKey, auditHead, resultsKey } = config;
  const databases = typeof store === 'string' ? [store] : [];
  const files = [rootKeyFile(rootKey) ?? [], resultsKey ?? []].flat();
  const results = resultsKey === undefined ? [] : [resultsKey];
  for (const path of [...databases, ...files, auditKey, auditHead]) {
    if (statSync(path, { throwIfNoEntry: false }) !== undefined) {
      throw new A3sError('broker-conflict', `Cannot make a new broker: ${path} exists`, {
        remedy: 'Serve with it, or move all of its files away.',
      });
    }
    await makeDirectories(dirname(path), 0o700);
  }
  if (typeof store !== 'string') await requireUnused(store);
  await createRootKeys(rootKey);
  for (const path of [auditKey, ...results]) await createSigningKeyFile(path);
  return publicPem(await openSigningKeyFile(auditKey));
}

/** A broker that joins others takes their keys: with new ones it could read nothing. */
async function requireUnused(place: StorePlace): Promise<void> {
  const store = await openStore(place);
  try {
    if (!(await store.transaction(isUsed))) return;
  } finally {
    await store.close();
  }
  throw new A3sError('broker-conflict', 'Cannot make a new broker: the database has one', {
    remedy: 'Copy the keys of that broker, and serve with them.',
  });
}
