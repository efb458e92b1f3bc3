import { isObject } from '../../client/json.ts';
import type { Command } from '../../command.ts';
import { bool } from '../../flags/flag.ts';
import { InputError } from '../../input-error.ts';
import { jsonText } from '../../output/json-text.ts';
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
  async run({ context, flags, operands: [path = ''] }) {
    const json = flags.bool('json');
    const library = await loadLibrary();
    try {
      const { document, policy } = await readPolicy(context, library, path);
      const stated = isObject(document) ? Object.keys(document) : [];
      if (json) {
        const defaults = keysOf(policy).filter((key) => !stated.includes(key));
        const said = { valid: true, policy: effective(policy), defaults };
        context.stdout.write(jsonText({ ...said, acceptsNobody: acceptsNobody(policy) }));
      } else {
        context.stdout.write(describePolicy(policy, stated));
      }
      return 0;
    } catch (error) {
      if (json && error instanceof InputError) context.stdout.write(jsonText(refusal(error)));
      throw error;
    }
  },
};

function refusal({ code, cause }: InputError): object {
  const { problems } = cause as { problems: unknown };
  return { valid: false, code, problems };
}
