/**
 * Registries as the rest of the runtime sees them, over HTTP.
 *
 * @module
 */
import { A3sError } from '../errors.ts';
import type { Credentials, Registry } from './registry.ts';
import { openRepository } from './repository.ts';
import { HttpTransport } from './transport/http-transport.ts';
import { Network, type NetworkOptions } from './transport/network.ts';

export function openRegistry(options: NetworkOptions): Registry {
  const own = new Network(options);
  // Of others: connections to this host are never shared with them.
  const confined = new Network({ ...options, namedByOthers: true });
  return {
    repository: (name, { credentials, namedByOthers = false, ...rest }) => {
      const domain = name.slice(0, name.indexOf('/'));
      const network = namedByOthers ? confined : own;
      return openRepository(new HttpTransport({ network, domain, credentials }), name, rest);
    },
    login: (domain, credentials, signal) => logIn(own, domain, credentials, signal),
    close: async () => {
      await Promise.all([own.close(), confined.close()]);
    },
  };
}

async function logIn(
  network: Network,
  domain: string,
  credentials: Credentials,
  signal: AbortSignal | undefined,
): Promise<{ identityToken: string | undefined }> {
  const transport = new HttpTransport({ network, domain, credentials, offline: true });
  const { body } = await transport
    .send({
      method: 'GET',
      target: '',
      scopes: [],
      expected: [200],
      ...(signal === undefined ? {} : { signal }),
    })
    .catch(refuseLogin);
  await body[Symbol.asyncIterator]().return?.();
  return { identityToken: transport.refreshToken ?? credentials.identityToken };
}

/** A login that fails does not suggest to log in. */
function refuseLogin(error: unknown): never {
  if (!(error instanceof A3sError) || error.code !== 'registry-unauthorized') throw error;
  const remedy = 'Check the user name and the password, and which registry they are for.';
  throw new A3sError(error.code, error.message, { remedy, cause: error });
}
