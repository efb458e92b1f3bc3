/**
 * Opens or makes the root key of a broker, whatever holds it.
 *
 * @module
 */
import {
  createDerivedKey,
  type DerivedPlace,
  openDerivedKeys,
} from './derived/derived-root-keys.ts';
import { createRootKeyFile, openRootKeyFile } from './file-root-keys.ts';
import { createTokenKey, openTokenKeys, type TokenPlace } from './pkcs11/token-root-keys.ts';
import type { RootKeys } from './root-keys.ts';

/** The path of a file, where a token has it, or how the secure processor derives it. */
export type RootKeyPlace = string | TokenPlace | DerivedPlace;

/** @throws A3sError `root-key`, `broker-config` */
export function openRootKeys(place: RootKeyPlace): Promise<RootKeys> {
  if (typeof place === 'string') return openRootKeyFile(place);
  return 'references' in place ? openDerivedKeys(place) : openTokenKeys(place);
}

/** @throws A3sError `broker-conflict` where there is one, `root-key`, `broker-config` */
export function createRootKeys(place: RootKeyPlace): Promise<void> {
  if (typeof place === 'string') return createRootKeyFile(place);
  return 'references' in place ? createDerivedKey(place) : createTokenKey(place);
}

/** The file of the root key, where there is one. */
export function rootKeyFile(place: RootKeyPlace): string | undefined {
  if (typeof place === 'string') return place;
  return 'references' in place ? place.references : undefined;
}
