/**
 * Registries as the rest of the runtime sees them, over HTTP.
 *
 * @module
 */
import { createTransport } from './create-transport.ts';
import { Network, type NetworkOptions } from './network.ts';
import type { Credentials, Registry } from './registry.ts';
import { openRepository } from './repository.ts';

export function openRegistry(options: NetworkOptions): Registry {
  const network = new Network(options);
  return {
    repository: (name, { credentials, ...rest }) => {
      const domain = name.slice(0, name.indexOf('/'));
      return openRepository(createTransport({ network, domain, credentials }), name, rest);
    },
    login: (domain, credentials, signal) => logIn(network, domain, credentials, signal),
    close: () => network.close(),
  };
}

async function logIn(
  network: Network,
  domain: string,
  credentials: Credentials,
  signal: AbortSignal | undefined,
): Promise<{ identityToken: string | undefined }> {
  const transport = createTransport({ network, domain, credentials, offline: true });
  const { body } = await transport.send({
    method: 'GET',
    target: '',
    scopes: [],
    expected: [200],
    ...(signal === undefined ? {} : { signal }),
  });
  await body[Symbol.asyncIterator]().return?.();
  return { identityToken: transport.refreshToken ?? credentials.identityToken };
}
