/**
 * A confidential box in the documents of the API. Everything here is the host's word: a relying
 * party asks the box for evidence.
 *
 * @module
 */

import type { Box } from '../../../../boxes/record/box.ts';
import { hostDataOfBox } from '../../../../boxes/record/confidential.ts';
import { ASKED_TEE, SIMULATED } from '../../../../boxes/record/tee-names.ts';
import type {
  ConfidentialShown,
  ConfidentialSummary,
} from '../../../../docker-api/a3s/confidential-box.ts';

/** The note beside everything that comes from a simulated box. */
export const SIMULATED_NOTE = `${SIMULATED}: no hardware vouches for this box, and its host can read all of its memory`;

/** For the inspection; null for a plain box. */
export function showConfidential({ definition, state }: Box): ConfidentialShown | null {
  const { confidential } = definition;
  if (confidential === undefined) return null;
  const { broker } = confidential;
  const { launch } = state;
  const delivered = new Set(launch?.secrets.delivered);
  return {
    Tee: ASKED_TEE[confidential.tee],
    Simulated: confidential.tee === 'simulated',
    ...(confidential.tee === 'simulated' ? { Note: SIMULATED_NOTE } : {}),
    HostData: hostDataOfBox(confidential),
    Measurement: launch?.measurement ?? '',
    HostMay: confidential.hostMay,
    Deployment: confidential.deployment,
    Changes: confidential.changes,
    Sealing: confidential.sealing ?? 'none',
    Secrets: confidential.secrets.map(({ name, allowAnyInjector, resource, refresh }) => ({
      Name: name,
      Delivered: delivered.has(name),
      AllowAnyInjector: allowAnyInjector,
      ...(resource === undefined ? {} : { Resource: resource }),
      ...(refresh === undefined ? {} : { Refresh: refresh }),
    })),
    SecretsState: launch?.secrets.state ?? 'none',
    SecretsDeadline: confidential.secretsDeadline,
    ...(launch?.volumes === undefined
      ? {}
      : {
          Volumes: launch.volumes.map(({ name, id, created }) => ({
            ...{ Name: name, Id: id, Created: created },
          })),
        }),
    ...(broker === undefined
      ? {}
      : {
          Broker: {
            Host: broker.host,
            Port: broker.port,
            Tenant: broker.tenant,
            Key: broker.key,
            ...(broker.tokens === true ? { Tokens: true } : {}),
          },
        }),
    ...(launch?.instance === undefined ? {} : { Instance: launch.instance }),
  };
}

/** For the list; null for a plain box. */
export function summarizeConfidential(box: Box): ConfidentialSummary | null {
  const shown = showConfidential(box);
  if (shown === null) return null;
  const { Tee, Simulated, SecretsState, Secrets } = shown;
  // The list leaves out most fields. It does show that anybody may inject a secret.
  const AllowAnyInjector = Secrets.some((secret) => secret.AllowAnyInjector);
  return { Tee, Simulated, SecretsState, AllowAnyInjector };
}
