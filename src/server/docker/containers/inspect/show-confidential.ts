/**
 * How a confidential box looks in the documents of the API. All of it is the host's word: a relying party asks the box
 * for evidence.
 *
 * @module
 */

import type { Box } from '../../../../boxes/record/box.ts';
import { ASKED_TEE, SIMULATED } from '../../../../boxes/record/tee-names.ts';
import type {
  ConfidentialShown,
  ConfidentialSummary,
} from '../../../../docker-api/confidential-box.ts';

/** What is said beside everything that comes of a simulated box. */
export const SIMULATED_NOTE = `${SIMULATED}: no hardware vouches for this box, and its host can read all of its memory`;

/** For the inspection; null for a plain box. */
export function showConfidential({ definition, state }: Box): ConfidentialShown | null {
  const { confidential } = definition;
  if (confidential === undefined) return null;
  const { launch } = state;
  const delivered = new Set(launch?.secrets.delivered);
  return {
    Tee: ASKED_TEE[confidential.tee],
    Simulated: confidential.tee === 'simulated',
    ...(confidential.tee === 'simulated' ? { Note: SIMULATED_NOTE } : {}),
    HostData: confidential.specDigest,
    Measurement: launch?.measurement ?? '',
    HostMay: confidential.hostMay,
    Deployment: confidential.deployment,
    Changes: confidential.changes,
    Secrets: confidential.secrets.map(({ name, allowAnyInjector }) => ({
      Name: name,
      Delivered: delivered.has(name),
      AllowAnyInjector: allowAnyInjector,
    })),
    SecretsState: launch?.secrets.state ?? 'none',
    SecretsDeadline: confidential.secretsDeadline,
    ...(launch?.instance === undefined ? {} : { Instance: launch.instance }),
  };
}

/** For the list; null for a plain box. */
export function summarizeConfidential(box: Box): ConfidentialSummary | null {
  const shown = showConfidential(box);
  if (shown === null) return null;
  const { Tee, Simulated, SecretsState, Secrets } = shown;
  // Whatever else is left out of a list: that nobody in particular is trusted with a secret is seen in it.
  const AllowAnyInjector = Secrets.some((secret) => secret.AllowAnyInjector);
  return { Tee, Simulated, SecretsState, AllowAnyInjector };
}
