/**
 * The field `Egress` of a create document, from its flags.
 *
 * @module
 */
import { MAX_POLICY_DOCUMENT } from '@a3s-box/policies/max-policy-document';
import type { EgressBody } from '../../docker-api/a3s/egress.ts';
import type { Invocation } from '../command.ts';
import { inputName, readInput } from '../files/input-file.ts';
import { UsageError } from '../usage-error.ts';

/**
 * @returns undefined where no flag limits anything
 * @throws UsageError for a file that cannot be read, is too long, or is no text
 */
export async function egressRequest({
  context,
  flags,
}: Pick<Invocation, 'context' | 'flags'>): Promise<EgressBody | undefined> {
  const rules = flags.list('egress');
  const path = flags.string('network-policy');
  const isPublic = flags.bool('egress-default');
  if (rules.length === 0 && path === undefined && !isPublic) return undefined;
  return {
    Rules: rules,
    ...(path === undefined ? {} : { Policy: await readText(context, path) }),
    ...(isPublic ? { Default: 'public' as const } : {}),
  };
}

async function readText(context: Invocation['context'], path: string): Promise<string> {
  const bytes = await readInput(context, path, MAX_POLICY_DOCUMENT, '--network-policy');
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    throw new UsageError(`--network-policy: ${inputName(path)} is not UTF-8 text`, {
      code: 'policy-invalid',
    });
  }
}
