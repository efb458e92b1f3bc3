/**
 * The restart policy in Docker's create and update documents.
 *
 * @module
 */
import type * as z from 'zod';
import type { RestartPolicy as Policy } from '../../../../boxes/record/box.ts';
import type { RestartPolicy } from '../../../../docker-api/containers/restart-policy.ts';
import { A3sError } from '../../../../errors.ts';

const NAMES = ['no', 'always', 'on-failure', 'unless-stopped'] as const;

/** An empty name means `no`. @throws A3sError `invalid-argument`, in Docker's words */
export function restartPolicy(asked: z.output<typeof RestartPolicy> | undefined): Policy {
  const { Name = '', MaximumRetryCount: count = 0 } = asked ?? {};
  const name = NAMES.find((known) => known === (Name || 'no'));
  if (name === undefined) {
    throw invalid(
      `unknown policy '${Name}'; use one of 'no', 'always', 'on-failure', or 'unless-stopped'`,
    );
  }
  if (name === 'on-failure' && count < 0) throw invalid('maximum retry count cannot be negative');
  if (name !== 'on-failure' && count !== 0) {
    const more = count < 0 ? ' and cannot be negative' : '';
    throw invalid(`maximum retry count can only be used with 'on-failure'${more}`);
  }
  return { name, maximumRetryCount: count };
}

function invalid(why: string): A3sError {
  return new A3sError('invalid-argument', `invalid restart policy: ${why}`);
}
