import { Readable } from 'node:stream';
import type { Command, Invocation } from '../../command.ts';
import { checkOutputPath, writeOutput } from '../../files/output-file.ts';
import { byName, list, string } from '../../flags/flag.ts';
import { checkSigningFlags, SIGNING_FLAGS } from '../../flags/signing-flags.ts';
import { annotationsOf, parseAnnotations } from '../../signing/annotations.ts';
import { attach, imageToSign } from '../../signing/image-to-sign.ts';
import { KEY_FLAG, signingKey } from '../../signing/signing-key.ts';
import { withSigning } from '../../signing/signing-library.ts';
import { interruptible } from '../../terminal/interruptible.ts';

const OUTPUTS = ['output-payload', 'output-signature'] as const;

export const signImage: Command = {
  usage: '[OPTIONS] IMAGE',
  description:
    'Sign an image with a private key, as cosign does with --tlog-upload=false, beside the image\n' +
    'in its registry. Of a multi-arch image the index is signed, and with it all that it lists;\n' +
    'for one of them name its digest. The password of an encrypted key is taken from\n' +
    'A3S_SIGNING_PASSWORD or COSIGN_PASSWORD, or asked for.\n' +
    'Policies accept the signature where they say transparencyLog: none.',
  flags: byName([
    KEY_FLAG,
    ...SIGNING_FLAGS,
    list('annotations', 'Sign KEY=VALUE, too', { short: 'a' }),
    string('output-payload', 'Write what was signed to a file', { value: 'file' }),
    string('output-signature', 'Write the signature to a file, in base64', { value: 'file' }),
    string('sign-container-identity', 'Sign this name in place of the repository', {
      value: 'name',
    }),
  ]),
  operands: { min: 1, max: 1 },
  async run(invocation) {
    const { context, flags, operands } = invocation;
    checkSigningFlags(flags);
    const annotations = readAnnotations(invocation);
    const files = OUTPUTS.map((flag) =>
      flags.parsed(flag, (path) => checkOutputPath(context.cwd, path)),
    );
    const key = await signingKey(invocation);
    const upload = flags.bool('upload');
    const client = await context.connect();
    return interruptible(context, async (signal) => {
      const image = await imageToSign(context, client, operands[0] ?? '', upload);
      const { payload, signature, layer } = await withSigning((library) => {
        const { cosignRepository, imagePayload, signatureLayer } = library;
        const name = flags.string('sign-container-identity') || cosignRepository(image.repository);
        const payload = imagePayload({ name, digest: image.digest }, annotations);
        const signature = key.sign(payload);
        return { payload, signature, layer: signatureLayer(payload, signature) };
      });
      if (upload) context.stderr.write(`Pushing signature to: ${image.repository}\n`);
      await attach(client, image, { kind: 'signature', layer }, upload, signal);
      const contents = [payload, Buffer.from(signature.toString('base64'))];
      for (const [index, content] of contents.entries()) {
        const file = files[index];
        if (file !== undefined) await writeOutput(file, Readable.from([content]), signal);
      }
      context.stdout.write(`${image.shown}\n`);
      return 0;
    });
  },
};

function readAnnotations({ flags }: Invocation): ReadonlyMap<string, string> {
  const lists = flags.parsedList('annotations', parseAnnotations);
  try {
    return annotationsOf(lists);
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    throw flags.invalid('annotations', flags.list('annotations').join(' '), error.message);
  }
}
