import { isObject } from '../../client/json.ts';
import type { Command, Invocation } from '../../command.ts';
import { InputError } from '../../files/input-error.ts';
import { inputName } from '../../files/input-file.ts';
import { bool, string } from '../../flags/flag.ts';
import { jsonText } from '../../output/json-text.ts';
import { UsageError } from '../../usage-error.ts';
import { readDocument } from '../attest/input/policy-input.ts';
import { failureOf, tellingPrograms } from '../attest/json-failure.ts';
import { loadLibrary, refusing } from '../attest/load-library.ts';
import { acceptsNobody } from './accepts-nobody.ts';
import { checkImagePolicy } from './check-image.ts';
import { describePolicy, effective, keysOf } from './policy-text.ts';

export const check: Command = {
  usage: '[OPTIONS] FILE',
  description:
    'Check an attestation or image policy (YAML or JSON) and display what it means, defaults included.\n' +
    'Of an image policy the keys and trusted roots are read, and the conditions compiled.\n' +
    'Identities in it that can never match are warned of.\n' +
    'Exits with 0 for a valid policy, and with 2 for any other.',
  flags: [
    string('image', 'Say which rule of an image policy decides for this repository', {
      value: 'repository',
    }),
    bool('json', 'Print a JSON document'),
  ],
  operands: { min: 1, max: 1 },
  run: tellingPrograms(run, invalid),
};

async function run(invocation: Invocation): Promise<number> {
  const { context, flags, operands } = invocation;
  const [path = ''] = operands;
  const library = await loadLibrary();
  const document = await readDocument(context, library, path, '');
  if (library.isImagePolicyDocument(document)) {
    await checkImagePolicy(invocation, library, path, document);
    return 0;
  }
  if (flags.given('image')) {
    throw new UsageError(`--image is about image policies, and ${inputName(path)} is none`);
  }
  const policy = refusing(library, inputName(path), () => library.parseAttestationPolicy(document));
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

/** The problems of the policy; none where the file does not exist. */
function invalid(error: unknown): object {
  const cause = error instanceof InputError ? error.cause : undefined;
  const problems = isObject(cause) ? cause['problems'] : undefined;
  return { valid: false, ...failureOf(error), problems: problems ?? [] };
}
