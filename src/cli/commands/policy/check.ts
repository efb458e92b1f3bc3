import { isObject } from '../../client/json.ts';
import type { Command, Invocation } from '../../command.ts';
import { bool } from '../../flags/flag.ts';
import { InputError } from '../../input-error.ts';
import { jsonText } from '../../output/json-text.ts';
import { failureOf, tellingPrograms } from '../attest/json-failure.ts';
import { loadLibrary } from '../attest/load-library.ts';
import { readPolicy } from '../attest/policy-input.ts';
import { acceptsNobody } from './accepts-nobody.ts';
import { describePolicy, effective, keysOf } from './policy-text.ts';

export const check: Command = {
  usage: '[OPTIONS] FILE',
  description:
    'Check an attestation policy (YAML or JSON) and display what it means, defaults included.\n' +
    'Exits with 0 for a valid policy, and with 2 for any other.',
  flags: [bool('json', 'Print a JSON document')],
  operands: { min: 1, max: 1 },
  run: tellingPrograms(run, invalid),
};

async function run({ context, flags, operands: [path = ''] }: Invocation): Promise<number> {
  const library = await loadLibrary();
  const { document, policy } = await readPolicy(context, library, path, '');
  const stated = isObject(document) ? Object.keys(document) : [];
  if (flags.bool('json')) {
    const defaults = keysOf(policy).filter((key) => !stated.includes(key));
    const said = { valid: true, policy: effective(policy), defaults };
    context.stdout.write(jsonText({ ...said, acceptsNobody: acceptsNobody(policy) }));
  } else {
    context.stdout.write(describePolicy(policy, stated));
  }
  return 0;
}

/** The problems are those of the policy: none where there is no file of that name. */
function invalid(error: unknown): object {
  const cause = error instanceof InputError ? error.cause : undefined;
  const problems = isObject(cause) ? cause['problems'] : undefined;
  return { valid: false, ...failureOf(error), problems: problems ?? [] };
}
