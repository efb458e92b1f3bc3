/**
 * Opens or makes the root key of a broker, whatever holds it.
 *
 * @module
 */
import { createRootKeyFile, openRootKeyFile } from './file-root-keys.ts';
import { createTokenKey, openTokenKeys, type TokenPlace } from './pkcs11/token-root-keys.ts';
import type { RootKeys } from './root-keys.ts';

/** The path of a file, or where a token has it. */
export type RootKeyPlace = string | TokenPlace;

/** @throws A3sError `root-key`, `broker-config` */
export function openRootKeys(place: RootKeyPlace): Promise<RootKeys> {
  return typeof place === 'string' ? openRootKeyFile(place) : openTokenKeys(place);
}

/** @throws A3sError `broker-conflict` where there is one, `root-key`, `broker-config` */
export function createRootKeys(place: RootKeyPlace): Promise<void> {
  return typeof place === 'string' ? createRootKeyFile(place) : createTokenKey(place);
}
