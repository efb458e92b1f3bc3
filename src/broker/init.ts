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
import { logHeadPath } from './audit/log-head.ts';
import type { BrokerConfig } from './config/broker-yaml.ts';
import { createRootKeyFile } from './keys/file-root-keys.ts';
import { createSigningKeyFile, openSigningKeyFile, publicPem } from './keys/signing-key.ts';

/**
 * The public key of the audit log, PEM.
 *
 * @throws A3sError `broker-conflict` where any of it exists
 */
export async function initBroker({
  store,
  rootKey,
  auditKey,
  resultsKey,
}: BrokerConfig): Promise<string> {
  const results = resultsKey === undefined ? [] : [resultsKey];
  for (const path of [store, rootKey, auditKey, ...results, logHeadPath(rootKey)]) {
    if (statSync(path, { throwIfNoEntry: false }) !== undefined) {
      throw new A3sError('broker-conflict', `Cannot make a new broker: ${path} exists`, {
        remedy: 'Serve with it, or move all of its files away.',
      });
    }
    await makeDirectories(dirname(path), 0o700);
  }
  await createRootKeyFile(rootKey);
  for (const path of [auditKey, ...results]) await createSigningKeyFile(path);
  return publicPem(await openSigningKeyFile(auditKey));
}
