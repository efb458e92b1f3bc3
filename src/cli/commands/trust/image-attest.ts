import type { Command } from '../../command.ts';
import { inputName, readInput } from '../../files/input-file.ts';
import { byName, refused, string } from '../../flags/flag.ts';
import { checkSigningFlags, SIGNING_FLAGS } from '../../flags/signing-flags.ts';
import { attach, imageToSign } from '../../signing/image-to-sign.ts';
import { KEY_FLAG, signingKey } from '../../signing/signing-key.ts';
import { withSigning } from '../../signing/signing-library.ts';
import { interruptible } from '../../terminal/interruptible.ts';

/** Longest file of a predicate: what it becomes is kept whole beside the image. */
const MAX_PREDICATE = 11 * 1024 * 1024;

export const attestImage: Command = {
  usage: '[OPTIONS] IMAGE',
  description:
    'Sign a statement about an image with a private key, as cosign does with --tlog-upload=false,\n' +
    'beside the image in its registry. What is said of it is read from the file of the predicate.\n' +
    'The password of an encrypted key is taken from A3S_SIGNING_PASSWORD or COSIGN_PASSWORD, or\n' +
    'asked for.',
  flags: byName([
    KEY_FLAG,
    ...SIGNING_FLAGS,
    string('predicate', 'What is said of the image (- for standard input)', { value: 'file' }),
    string(
      'type',
      'Type of the predicate: slsaprovenance, slsaprovenance02, slsaprovenance1, link, spdx, spdxjson, cyclonedx, vuln, openvex, custom (default), or a URI',
    ),
    refused('no-upload', 'use --upload=false, and image attestations --output', 'bool'),
    refused('rekor-entry-type', 'nothing is put into a transparency log'),
    refused('replace', 'attestations are added, and never taken away', 'bool'),
  ]),
  operands: { min: 1, max: 1 },
  async run(invocation) {
    const { context, flags, operands } = invocation;
    checkSigningFlags(flags);
    const text = flags.string('type') || 'custom';
    const type = await withSigning(({ predicateType }) => predicateType(text));
    const path = flags.needed('predicate', (text) => text);
    const predicate = Buffer.from(await readInput(context, path, MAX_PREDICATE, '--predicate'));
    const key = await signingKey(invocation);
    const upload = flags.bool('upload');
    const client = await context.connect();
    return interruptible(context, async (signal) => {
      const image = await imageToSign(context, client, operands[0] ?? '', upload);
      const layer = await withSigning((library) => {
        const { attestationLayer, cosignRepository, envelope, statement } = library;
        const subject = { name: cosignRepository(image.repository), digest: image.digest };
        const said = statement(subject, type, predicate, inputName(path), new Date());
        return attestationLayer(envelope(key, said), type.uri);
      });
      if (upload) context.stderr.write(`Pushing attestation to: ${image.repository}\n`);
      await attach(client, image, { kind: 'attestation', layer }, upload, signal);
      context.stdout.write(`${image.shown}\n`);
      return 0;
    });
  },
};
