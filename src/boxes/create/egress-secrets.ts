/**
 * The egress secrets of a new box: checked, and kept where no other user and no box can read them.
 *
 * @module
 */
import { join } from 'node:path';
import { A3sError } from '../../errors.ts';
import {
  checkSecretHosts,
  type KeptSecrets,
  makeSecrets,
  SECRETS_FILE,
  writeSecrets,
} from '../../networks/egress/secrets.ts';
import type { BoxDefinition } from '../record/box.ts';
import { boxDirectory } from '../record/directories.ts';
import type { CreateRequest } from './create-request.ts';

type Asking = Pick<CreateRequest, 'egress' | 'egressSecrets' | 'env' | 'confidential'>;

/** @throws A3sError `invalid-argument`, `unsupported-option` */
export function checkEgressSecrets({ egress, egressSecrets, env, confidential }: Asking): void {
  if (egressSecrets === undefined || egressSecrets.length === 0) return;
  if (confidential !== undefined) {
    throw new A3sError(
      'unsupported-option',
      'Cannot create the box: an egress secret is not supported for a confidential box: the host would see its requests and answers',
      { remedy: 'Inject the secret into the box instead, with --secret.' },
    );
  }
  checkSecretHosts(egressSecrets, egress);
  for (const { name } of egressSecrets) {
    if (!env.some((entry) => entry === name || entry.startsWith(`${name}=`))) continue;
    throw new A3sError(
      'invalid-argument',
      `Cannot create the box: the variable ${name} has a value besides its egress secret`,
      { remedy: `Leave out -e ${name}, or give the secret another name.` },
    );
  }
}

/** What of the secrets goes on record. */
export function recordedSecrets(
  kept: KeptSecrets | undefined,
): Pick<BoxDefinition, 'egressSecrets'> {
  if (kept === undefined) return {};
  const { authority, secrets } = kept;
  return {
    egressSecrets: {
      authority: authority.certificate,
      secrets: secrets.map(({ value: _, ...secret }) => secret),
    },
  };
}

/** @returns undefined where the box has none */
export function keptSecrets({ egressSecrets = [] }: Asking): KeptSecrets | undefined {
  return egressSecrets.length === 0 ? undefined : makeSecrets(egressSecrets, Date.now());
}

export async function keepSecrets(
  rt: { readonly home: string },
  id: string,
  kept: KeptSecrets | undefined,
): Promise<void> {
  if (kept !== undefined) await writeSecrets(join(boxDirectory(rt, id), SECRETS_FILE), kept);
}
