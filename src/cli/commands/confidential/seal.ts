import type { Command } from '../../command.ts';
import { readInput } from '../../files/input-file.ts';
import { byName, string } from '../../flags/flag.ts';
import { KEY_FLAG } from '../../signing/signing-key.ts';
import { UsageError } from '../../usage-error.ts';
import type { Session } from '../ratls/open-session.ts';
import { PEER_FLAGS } from '../ratls/peer-flags.ts';
import { callSealer, guestOf, PURPOSE_FLAG, SEALING_DESCRIPTION } from './sealing-call.ts';

type Policy = 'exact' | 'upgradable';

const UPGRADABLE_WARNING =
  'WARNING: no processor mixes the ID key into its keys. A host that launches software of its own' +
  ' under the same family id and SVN gets the key of an upgradable envelope.\n';

export const seal: Command = {
  usage: '[OPTIONS] --policy FILE --key FILE --purpose NAME HOST:PORT|BOX <VALUE >ENVELOPE',
  description: [
    'Verify a confidential box as attest box does, and have it seal standard input, up to 64 KiB,',
    'under a key of its secure processor. The envelope goes to standard output; only this box opens',
    'it: exact, with the same launch digest and launch spec; upgradable, with the same launch spec',
    'and ID key and no lower SVN. It can be kept anywhere, and replaced by an older one unnoticed.',
    ...SEALING_DESCRIPTION,
    'Exits with 0 if it is sealed, 1 if the box is rejected or refuses, 2 if that cannot be decided.',
  ].join('\n'),
  flags: byName([
    ...PEER_FLAGS,
    KEY_FLAG,
    PURPOSE_FLAG,
    string(
      'minimum-svn',
      'Least guest SVN that opens it, if upgradable; that of the box if not given',
    ),
    string('sealing', 'Which guests open it: exact (default), or upgradable', { value: 'policy' }),
  ]),
  operands: { min: 1, max: 1 },
  usageStatus: 2,
  failureStatus: 2,
  async run(invocation) {
    const { context, flags } = invocation;
    const policy = flags.parsed('sealing', parsePolicy) ?? 'exact';
    const minimumSvn = flags.parsed('minimum-svn', parseSvn);
    if (minimumSvn !== undefined && policy === 'exact') {
      throw new UsageError('--minimum-svn: it is for --sealing upgradable');
    }
    if (context.stdout.isTTY === true) {
      throw new UsageError('cowardly refusing to write an envelope to a terminal', {
        remedy: 'Redirect standard output.',
      });
    }
    return callSealer(
      invocation,
      'seal',
      (library) => readInput(context, '-', library.MAX_SEALED, ''),
      async (session, { library, purpose, key, signal }, value) => {
        if (policy === 'upgradable') context.stderr.write(UPGRADABLE_WARNING);
        const envelope = await session.seal(value, { purpose, policy, minimumSvn }, key, {
          signal,
        });
        expectSealed(library, session, envelope, { purpose, policy });
        return envelope;
      },
    );
  },
};

/** An envelope that this very box would not open is of no use. @throws SealingError */
function expectSealed(
  library: typeof import('#ratls'),
  { peer }: Session,
  envelope: Uint8Array,
  asked: { readonly purpose: string; readonly policy: Policy },
): void {
  const { header } = library.parseEnvelope(envelope);
  library.requirePermitted(header, guestOf(peer), asked.purpose);
  if (header.policy === asked.policy) return;
  throw new library.SealingError('sealing-policy', 'The box sealed under another policy.', {
    expected: asked.policy,
    found: header.policy,
  });
}

function parsePolicy(text: string): Policy {
  if (text === 'exact' || text === 'upgradable') return text;
  throw new RangeError('it takes exact or upgradable');
}

function parseSvn(text: string): number {
  const svn = /^\d{1,10}$/.test(text) ? Number(text) : Number.NaN;
  if (svn <= 0xffff_ffff) return svn;
  throw new RangeError('it takes a number from 0 to 4294967295');
}
