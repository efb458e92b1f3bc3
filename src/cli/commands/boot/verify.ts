import { namedBootSet, SET_HELP, withBoot } from '../../boot-library.ts';
import type { Command, Invocation } from '../../command.ts';
import { readIdBlock } from '../../files/id-block-file.ts';
import { byName, int, string } from '../../flags/flag.ts';
import { UsageError } from '../../usage-error.ts';
import { parseHexBytes } from '../../values/confidential/hex.ts';
import { EXCEPTIONS_FLAG, exceptionsOf } from '../attest/input/known-vulnerable.ts';
import { loadLibrary } from '../attest/load-library.ts';
import { cpusOf, teeOf } from './launch-flags.ts';

const KEY_DIGEST_SIZE = 48;
const KEY_DIGESTS = ['id-key-digest', 'author-key-digest'] as const;

export const verifyBoot: Command = {
  usage: '[OPTIONS] SET',
  description:
    'Verify a boot set: read every file and compute its digest anew, compute the launch digest, check the ID block that\n' +
    '--id-block names, and look whether the firmware or the launch is known to be vulnerable.\n' +
    `Exits with 0 if all is as it should be, and with 1 for anything else. ${SET_HELP}`,
  flags: byName([
    string('author-key-digest', 'SHA-384 of the author key that the ID block must have', {
      value: 'hex',
    }),
    int('cpus', 'vCPUs of the boxes (default 1)'),
    string('id-block', 'Signed ID block of a3s-box boot sign; say whose it must be', {
      value: 'file',
    }),
    string('id-key-digest', 'SHA-384 of the ID key that the ID block must have', { value: 'hex' }),
    EXCEPTIONS_FLAG,
    string('tee', 'What the boxes run under: snp (default), or simulate', { value: 'tee' }),
  ]),
  operands: { min: 1, max: 1 },
  async run(invocation) {
    const { context, flags, operands } = invocation;
    const question = {
      tee: teeOf(flags),
      cpus: cpusOf(flags),
      idBlock: await idBlockOf(invocation),
    };
    const allowKnownVulnerable = await exceptionsOf(context, flags, await loadLibrary());
    const { set } = await namedBootSet(context, operands[0]);
    const { launchDigest, signed } = await withBoot(({ verifyBootSet }) =>
      verifyBootSet({ set, ...question, allowKnownVulnerable }),
    );
    const lines = [
      `boot set           ${set.id}`,
      `launch digest      ${launchDigest}`,
      ...(signed === undefined
        ? []
        : [`ID key digest      ${signed.idKeyDigest}`, `guest SVN          ${signed.guestSvn}`]),
      ...(signed?.author === undefined ? [] : [`author key digest  ${signed.author}`]),
    ];
    context.stdout.write(`${lines.join('\n')}\n`);
    return 0;
  },
};

/** @throws UsageError for an ID block with no expected signer: anybody can sign one */
async function idBlockOf({ context, flags }: Invocation) {
  const path = flags.string('id-block');
  const [idKeyDigest, authorKeyDigest] = KEY_DIGESTS.map((name) =>
    flags.parsed(name, (text) => Buffer.from(parseHexBytes(text, KEY_DIGEST_SIZE)).toString('hex')),
  );
  const named = idKeyDigest !== undefined || authorKeyDigest !== undefined;
  if ((path === undefined) === named) {
    throw new UsageError(
      '--id-block needs --id-key-digest or --author-key-digest, and they need it',
      {
        remedy: 'Anybody can sign an ID block: say whose key you trust.',
      },
    );
  }
  if (path === undefined) return undefined;
  const { IdBlock, IdAuth } = await readIdBlock(context, path);
  const [block, auth] = [Buffer.from(IdBlock, 'base64'), Buffer.from(IdAuth, 'base64')];
  return { block, auth, idKeyDigest, authorKeyDigest };
}
