/**
 * Checks the token server that a registry names, since credentials are sent there.
 *
 * @module
 */
import { A3sError } from '../../errors.ts';
import { isLoopback, shown } from '../hosts/addresses.ts';
import type { Challenge } from '../http/challenge.ts';
import type { TokenServer } from './token-server.ts';

const MAX_LENGTH = 2048;

/**
 * The server that a `Bearer` challenge names.
 *
 * @param registry where the challenge came from
 * @throws A3sError `registry-failed` for one without TLS, unless the registry itself is without, or
 * both are here
 */
export function tokenServerOf({ parameters }: Challenge, registry: URL): TokenServer {
  const text = parameters.get('realm') ?? '';
  const usable = text.length <= MAX_LENGTH && URL.canParse(text) ? new URL(text) : undefined;
  if (
    usable === undefined ||
    !['http:', 'https:'].includes(usable.protocol) ||
    usable.username !== '' ||
    usable.password !== ''
  ) {
    throw refused(registry, 'the token server that it names is not a web address');
  }
  const bothHere = isLoopback(registry) && isLoopback(usable);
  if (usable.protocol === 'http:' && registry.protocol === 'https:' && !bothHere) {
    throw refused(registry, `its token server ${shown(usable)} has no TLS`);
  }
  usable.hash = '';
  return { realm: usable, service: parameters.get('service') };
}

function refused(registry: URL, why: string): A3sError {
  return new A3sError('registry-failed', `Cannot log in to ${registry.host}: ${why}`, {
    remedy: "Ask the registry's operator; no credentials were sent there.",
  });
}
