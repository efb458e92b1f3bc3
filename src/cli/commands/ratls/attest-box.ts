import type { Command, Invocation } from '../../command.ts';
import { bool, byName, string } from '../../flags/flag.ts';
import { jsonText } from '../../output/json-text.ts';
import { interruptible } from '../../terminal/interruptible.ts';
import { tellingPrograms } from '../attest/json-failure.ts';
import { SIMULATED_BANNER } from '../attest/verdict/verdict-text.ts';
import { attestTarget } from './attest-target.ts';
import { describeBox } from './box-text.ts';
import { PEER_FLAGS, trustOf } from './peer-flags.ts';
import { undecided } from './undecided.ts';

export const attestBox: Command = {
  usage: '[OPTIONS] --policy FILE HOST:PORT|BOX',
  description: [
    'Challenge a confidential box over RA-TLS, and hold its fresh evidence against a policy.',
    'HOST:PORT needs no control server; a box of this installation is reached through it by its name.',
    'Certificates and revocation lists that the box does not bring are taken from the cache.',
    'Exits with 0 if the box is accepted, 1 if it is rejected, 2 if that cannot be decided:',
    'nobody answers there, or the policy or a flag is malformed.',
  ].join('\n'),
  flags: byName([
    ...PEER_FLAGS,
    bool('json', 'Print a JSON document'),
    string('out', 'Directory for the evidence, as files that other tools verify', { value: 'dir' }),
  ]),
  operands: { min: 1, max: 1 },
  usageStatus: 2,
  failureStatus: 2,
  run: tellingPrograms(run, undecided),
};

async function run({ context, flags, operands }: Invocation): Promise<number> {
  const [target = ''] = operands;
  const library = await import('#ratls');
  const trust = await trustOf(context, flags, library);
  return interruptible(context, async (signal) => {
    const request = { context, library, target, trust, signal };
    const verdict = await attestTarget(request, flags.string('out'));
    if (flags.bool('json')) {
      if (verdict.simulated === true) context.stderr.write(SIMULATED_BANNER);
      context.stdout.write(jsonText(verdict));
    } else {
      context.stdout.write(describeBox(library, verdict));
    }
    return verdict.accepted ? 0 : 1;
  });
}
