import { Readable } from 'node:stream';
import { printable } from '../../client/failure.ts';
import type { Command, Invocation } from '../../command.ts';
import { inputName, readInput } from '../../files/input-file.ts';
import { checkOutputPath, writeOutput } from '../../files/output-file.ts';
import { bool, byName, string } from '../../flags/flag.ts';
import { humanSize } from '../../output/human.ts';
import { type Listing, prepareFormat, type Row } from '../../output/listing.ts';
import { type Attestation, attestationsOf } from '../../signing/attestations.ts';
import { withSigning } from '../../signing/signing-library.ts';
import { interruptible } from '../../terminal/interruptible.ts';
import { FORMAT_HELP } from '../format-help.ts';

const MAX_KEY = 128 * 1024;
const SHORT_DIGEST = 'sha256:'.length + 12;
const STANDARD_OUTPUT = '-';

const LISTING: Listing = {
  defaults: '{{.Type}}\t{{.Signer}}\t{{.Subject}}\t{{.Digest}}\t{{.Size}}',
  headers: {
    Type: 'TYPE',
    Signer: 'SIGNER',
    Subject: 'SUBJECT',
    Digest: 'DIGEST',
    Size: 'SIZE',
  },
};

export const listAttestations: Command = {
  usage: '[OPTIONS] IMAGE',
  description:
    'List the attestations that lie beside an image here. Being listed says nothing about who made\n' +
    'them: with --key, the signature of each is verified, and without one of that key the exit\n' +
    'status is 1. What a policy makes of them is said by image verify.',
  flags: byName([
    string('format', FORMAT_HELP),
    string('key', 'Verify with this public key, in PEM', { value: 'file' }),
    bool('no-trunc', "Don't truncate output"),
    string(
      'output',
      'Write the statements to a file (- for STDOUT), one a line, and list nothing',
      {
        short: 'o',
        value: 'file',
      },
    ),
    string('type', 'Only of this type: a URI, or a name as image attest takes it'),
  ]),
  operands: { min: 1, max: 1 },
  async run(invocation) {
    const { context, flags, operands } = invocation;
    const format = prepareFormat(flags.string('format'), LISTING);
    const name = flags.string('type') ?? '';
    const type = await withSigning(({ predicateType }) => name && predicateType(name).uri);
    const output = flags.parsed('output', (path) =>
      path === STANDARD_OUTPUT ? path : checkOutputPath(context.cwd, path),
    );
    const key = await publicKey(invocation);
    const client = await context.connect();
    const all = await attestationsOf(client, operands[0] ?? '', key, (message) =>
      context.stderr.write(printable(`WARNING: ${message}\n`)),
    );
    const wanted = all.filter((each) => type === '' || each.predicateType === type);
    const accepted = wanted.filter((each) => each.signed === true && each.isAboutIt);
    if (key === undefined && wanted.length > 0) {
      context.stderr.write('None of these is verified: use --key, or a3s-box image verify.\n');
    }
    if (output === undefined) {
      const full = flags.bool('no-trunc');
      context.stdout.write(format(wanted.map((each) => row(each, key?.name, full))));
    } else {
      await writeStatements(invocation, output, key === undefined ? wanted : accepted);
    }
    return key !== undefined && accepted.length === 0 ? 1 : 0;
  },
};

async function publicKey({ context, flags }: Invocation) {
  const path = flags.string('key');
  if (path === undefined) return undefined;
  const bytes = await readInput(context, path, MAX_KEY, '--key');
  const pem = Buffer.from(bytes).toString('latin1');
  return withSigning(({ readPublicKey }) => readPublicKey(pem, inputName(path)));
}

function row(attestation: Attestation, keyName: string | undefined, full: boolean): Row {
  const short = (digest: string): string => (full ? digest : digest.slice(0, SHORT_DIGEST));
  const { predicateType, subject, isAboutIt, digest, size } = attestation;
  return {
    Type: printable(predicateType),
    Signer: signerOf(attestation, keyName),
    Subject: isAboutIt ? short(subject) : 'another image',
    Digest: short(digest),
    Size: humanSize(size),
  };
}

function signerOf({ signed }: Attestation, keyName: string | undefined): string {
  if (signed === undefined) return 'not verified';
  return signed && keyName !== undefined ? keyName : 'not that key';
}

async function writeStatements(
  { context }: Invocation,
  output: string,
  attestations: readonly Attestation[],
): Promise<void> {
  // Between the tokens of JSON, ends of lines mean nothing; within them there are none.
  const lines = attestations.map(({ statement }) =>
    statement
      .toString()
      .trim()
      .replaceAll(/[\r\n]+/g, ' '),
  );
  const text = lines.map((line) => `${line}\n`).join('');
  if (output === STANDARD_OUTPUT) {
    context.stdout.write(context.stdout.isTTY === true ? printable(text) : text);
    return;
  }
  await interruptible(context, async (signal) => {
    await writeOutput(output, Readable.from([text]), signal);
    return 0;
  });
}
