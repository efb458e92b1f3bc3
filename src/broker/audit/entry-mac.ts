/**
 * Authenticates the entries of the audit log for the broker itself, between two checkpoints.
 *
 * A signature for each entry would cost more than the entry. The code is not exported: its key is
 * derived from the private key, so an auditor could not verify it.
 *
 * @module
 */
import { createHmac, hkdfSync, type KeyObject, timingSafeEqual } from 'node:crypto';
import { contextOf } from '../keys/aead.ts';
import type { AuthenticatedEntry, StoredEntry } from '../store/store.ts';

const DOMAIN = 'a3s-box/broker-audit-mac/v1';
const KEY_BYTES = 32;

export class EntryAuthenticator {
  readonly #key: Buffer;
  readonly #log: string;

  /** @param key the private key that signs checkpoints */
  constructor(key: KeyObject, log: string) {
    const secret = key.export({ type: 'pkcs8', format: 'der' });
    this.#key = Buffer.from(hkdfSync('sha256', secret, '', DOMAIN, KEY_BYTES));
    this.#log = log;
  }

  /** Hexadecimal. The hash covers the body. */
  mac({ seq, hash }: StoredEntry): string {
    return createHmac('sha256', this.#key)
      .update(contextOf(DOMAIN, this.#log, seq, hash))
      .digest('hex');
  }

  wrote(entry: AuthenticatedEntry): boolean {
    const expected = Buffer.from(this.mac(entry));
    const found = Buffer.from(entry.mac);
    return found.length === expected.length && timingSafeEqual(found, expected);
  }
}
