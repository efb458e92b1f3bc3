/**
 * Registries reached in the plainest way: what tests of pulling and pushing need where credentials are not the point.
 *
 * @module
 */
import { parseReference } from '../../images/reference.ts';
import type { Registry } from '../registry.ts';
import { openRepository } from '../repository.ts';
import { type PlainTransport, plainTransport } from './plain-transport.ts';

export function plainRegistry(): Registry {
  const transports = new Map<string, PlainTransport>();
  return {
    repository: (name, { access, signal }) => {
      const { domain } = parseReference(name);
      const transport = transports.get(domain) ?? plainTransport(domain);
      transports.set(domain, transport);
      return openRepository(transport, name, { access, signal, patience: { backoffMs: 1 } });
    },
    login: async () => ({ identityToken: undefined }),
    close: async () => {
      await Promise.all([...transports.values()].map((transport) => transport.close()));
    },
  };
}
