import type { Command } from '../../command.ts';
import { InputError } from '../../files/input-error.ts';
import { readInput } from '../../files/input-file.ts';
import { byName } from '../../flags/flag.ts';
import { KEY_FLAG } from '../../signing/signing-key.ts';
import { PEER_FLAGS } from '../ratls/peer-flags.ts';
import { callSealer, guestOf, PURPOSE_FLAG, SEALING_DESCRIPTION } from './sealing-call.ts';

export const unseal: Command = {
  usage: '[OPTIONS] --policy FILE --key FILE --purpose NAME HOST:PORT|BOX <ENVELOPE >VALUE',
  description: [
    'Verify a confidential box as attest box does, and have it open the envelope on standard input.',
    'The value goes to standard output, through a connection that ends in the guest. An envelope of',
    'a simulation is refused without --allow-simulated.',
    ...SEALING_DESCRIPTION,
    'Exits with 0 if it is open, 1 if the box is rejected or refuses, 2 if that cannot be decided.',
  ].join('\n'),
  flags: byName([...PEER_FLAGS, KEY_FLAG, PURPOSE_FLAG]),
  operands: { min: 1, max: 1 },
  usageStatus: 2,
  failureStatus: 2,
  async run(invocation) {
    const { context } = invocation;
    return callSealer(
      invocation,
      'unseal',
      async (library) => {
        const envelope = await readInput(context, '-', library.MAX_ENVELOPE, '');
        try {
          return { envelope, header: library.parseEnvelope(envelope).header };
        } catch (error) {
          if (!(error instanceof library.SealingError)) throw error;
          throw new InputError(error.code, error.message, error);
        }
      },
      async (session, { library, purpose, key, signal }, { envelope, header }) => {
        // The guest decides by the same rules; nothing is sent that it would refuse.
        library.requirePermitted(header, guestOf(session.peer), purpose);
        return session.unseal(envelope, purpose, key, { signal });
      },
    );
  },
};
