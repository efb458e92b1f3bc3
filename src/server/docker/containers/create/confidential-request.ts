/**
 * Turns the field `Confidential` of a create document into a request.
 *
 * @module
 */
import type { BrokerEndpoint } from '@a3s-box/policies';
import type * as z from 'zod';
import type { ConfidentialRequest } from '../../../../boxes/record/confidential-request.ts';
import type { Confidential } from '../../../../docker-api/a3s/confidential.ts';

export function confidentialRequest(
  asked: z.output<typeof Confidential> | undefined,
): ConfidentialRequest | undefined {
  if (asked === undefined) return undefined;
  const { IdBlock, IdAuth } = asked;
  return {
    tee: asked.Tee === 'simulate' ? 'simulated' : 'snp',
    hostMay: asked.HostMay,
    secrets: asked.Secrets.map((secret) => ({
      name: secret.Name,
      injectorKeys: secret.InjectorKeys,
      allowAnyInjector: secret.AllowAnyInjector,
      resource: secret.Resource ?? undefined,
      refresh: secret.Refresh ?? undefined,
      variable: secret.Env ?? undefined,
    })),
    broker: brokerOf(asked.Broker),
    deployment: asked.Deployment,
    changes: asked.Changes,
    secretsDeadline: asked.SecretsDeadline,
    sealing: asked.Sealing,
    sealerKeys: asked.SealerKeys,
    ...(asked.HostNetworks ? { hostNetworks: asked.HostNetworks } : {}),
    hostNames: asked.HostNames,
    bootSet: asked.BootSet ?? undefined,
    identity:
      IdBlock && IdAuth
        ? { block: Buffer.from(IdBlock, 'base64'), auth: Buffer.from(IdAuth, 'base64') }
        : undefined,
  };
}

function brokerOf(asked: z.output<typeof Confidential>['Broker']): BrokerEndpoint | undefined {
  if (!asked) return undefined;
  const { Host: host, Port: port, Tenant: tenant, Key: key, Tokens } = asked;
  return { host, port, tenant, key, ...(Tokens === true ? { tokens: true } : {}) };
}
