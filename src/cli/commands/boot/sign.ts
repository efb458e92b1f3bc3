import { Readable } from 'node:stream';
import { namedBootSet, SET_HELP, withBoot } from '../../boot-library.ts';
import type { Command } from '../../command.ts';
import { checkOutputPath, writeOutput } from '../../files/output-file.ts';
import { byName, int, string } from '../../flags/flag.ts';
import type { FlagValues } from '../../flags/flag-values.ts';
import { KEY_FLAG, privateKey } from '../../signing/signing-key.ts';
import { interruptible } from '../../terminal/interruptible.ts';
import { parseHexBytes } from '../../values/confidential/hex.ts';
import { cpusOf, teeOf, within } from './launch-flags.ts';

const MAX_SVN = 0xffff_ffff;
const ID_BYTES = 16;

export const signBoot: Command = {
  usage: '--key KEY --output FILE [OPTIONS] SET',
  description:
    'Sign the ID block of a boot set, for a3s-box run --id-block: policies can then name the key and\n' +
    'the lowest security version, instead of a digest for each set. vCPUs are measured, so a block\n' +
    `is for one count of them. Keys are on P-384. ${SET_HELP}`,
  flags: byName([
    KEY_FLAG,
    string('author-key', 'Private key that vouches for the other; it can be kept offline', {
      value: 'key',
    }),
    int('cpus', 'vCPUs of the boxes (default 1)'),
    string('family-id', 'FAMILY_ID of reports, 32 hexadecimal digits (default zeros)', {
      value: 'hex',
    }),
    int('guest-svn', 'Security version of the set, GUEST_SVN of reports (default 0)'),
    string('image-id', 'IMAGE_ID of reports, 32 hexadecimal digits (default zeros)', {
      value: 'hex',
    }),
    string('output', 'File to write: the ID block, and its authentication behind it', {
      short: 'o',
      value: 'file',
    }),
    string('tee', 'What the boxes run under: snp (default), or simulate', { value: 'tee' }),
  ]),
  operands: { min: 1, max: 1 },
  async run(invocation) {
    const { context, flags, operands } = invocation;
    const target = checkOutputPath(context.cwd, flags.needed('output', String));
    const what = blockOf(flags);
    const idKey = await privateKey(invocation, 'key');
    if (idKey === undefined) throw flags.missing('key');
    const authorKey = await privateKey(invocation, 'author-key');
    const { set } = await namedBootSet(context, operands[0]);
    return interruptible(context, async (signal) => {
      const signed = await withBoot(({ signBootSet }) =>
        signBootSet({ set, ...what, idKey, authorKey }),
      );
      await writeOutput(target, Readable.from([signed.bytes]), signal);
      context.stdout.write(`launch digest      ${signed.launchDigest}\n`);
      context.stdout.write(`ID key digest      ${signed.idKeyDigest}\n`);
      if (signed.authorKeyDigest !== undefined) {
        context.stdout.write(`author key digest  ${signed.authorKeyDigest}\n`);
      }
      return 0;
    });
  },
};

function blockOf(flags: FlagValues) {
  const id = (name: string): Uint8Array =>
    flags.parsed(name, (text) => parseHexBytes(text, ID_BYTES)) ?? new Uint8Array(ID_BYTES);
  return {
    tee: teeOf(flags),
    cpus: cpusOf(flags),
    guestSvn: within(flags, 'guest-svn', 0, MAX_SVN) ?? 0,
    familyId: id('family-id'),
    imageId: id('image-id'),
  } as const;
}
