import { Readable } from 'node:stream';
import type { Measured } from '../../../docker-api/a3s/launch.ts';
import type { CreateBody } from '../../../docker-api/containers/create.ts';
import type { Client } from '../../client/client.ts';
import { type JsonObject, objectOf } from '../../client/json.ts';
import type { Command, Invocation } from '../../command.ts';
import { checkOutputPath, writeOutput } from '../../files/output-file.ts';
import { RUN_FLAGS } from '../../flags/box-flags.ts';
import { byName, string } from '../../flags/flag.ts';
import { FROM_SNAPSHOT_FLAG } from '../../flags/from-snapshot-flag.ts';
import { Template } from '../../output/go-template/template.ts';
import { jsonText } from '../../output/json-text.ts';
import { describeMeasurement, type Measurement } from '../../output/measurement-text.ts';
import { confidentialRequest } from '../../requests/confidential-request.ts';
import { printWarnings, warningsFor } from '../../requests/confidential-warnings.ts';
import { createRequest } from '../../requests/create-request.ts';
import { egressRequest } from '../../requests/egress-request.ts';
import { egressSecrets } from '../../requests/egress-secrets.ts';
import { type ImageChoice, imageChoice, withImage } from '../../requests/image-choice.ts';
import { registerImagePolicy } from '../../requests/image-policy.ts';
import { interruptible } from '../../terminal/interruptible.ts';
import { NO_STREAMS } from '../../values/streams.ts';
import { exceptionsOf } from '../attest/input/known-vulnerable.ts';
import { loadLibrary } from '../attest/load-library.ts';
import { DOCUMENT_FORMAT_HELP } from '../format-help.ts';
import { readMeasurement } from './read-measurement.ts';

export const measure: Command = {
  usage: '[OPTIONS] --tee TEE IMAGE [COMMAND] [ARG...]',
  description: [
    'Compute what a confidential box of an image will be, without running it: its launch digest, HOST_DATA and launch spec,',
    'and an attestation policy that accepts this box and no other. Takes the flags of run; what a relying party cannot see,',
    'such as names and published ports, changes nothing.',
  ].join('\n'),
  flags: byName([
    ...RUN_FLAGS.filter((flag) => flag !== FROM_SNAPSHOT_FLAG),
    string(
      'attestation-policy',
      'Attestation policy that may except a boot set that is known to be vulnerable (allowKnownVulnerable)',
      { value: 'file' },
    ),
    string('format', DOCUMENT_FORMAT_HELP),
    string('launch-out', 'Write the launch, for attest explain --launch', { value: 'file' }),
    string('policy-out', 'Write the attestation policy', { value: 'file' }),
    string('spec-out', 'Write the launch spec, whose SHA-256 is in HOST_DATA', { value: 'file' }),
  ]),
  operands: { min: 1, max: Infinity },
  passThrough: true,
  async run(invocation) {
    const { context, flags } = invocation;
    const confidential = await confidentialRequest(invocation);
    if (confidential === undefined) throw flags.missing('tee');
    const egress = await egressRequest(invocation);
    const { body } = createRequest(invocation, NO_STREAMS, {
      ...{ confidential, egress },
      egressSecrets: await egressSecrets(invocation),
    });
    const choice = await imageChoice(invocation);
    const files = outputFiles(invocation);
    const format = flags.string('format') ?? '';
    const template = format === '' || format === 'json' ? undefined : new Template(format);
    const allowed = await exceptions(invocation);
    const client = await context.connect();
    return interruptible(context, async (signal) => {
      const answer = await ask(invocation, client, body, { choice, allowed }, signal);
      const tee = confidential.Tee === 'snp' ? 'snp' : 'simulated';
      const privileged = body.HostConfig?.Privileged === true;
      const measurement = readMeasurement(tee, objectOf<Measured>(answer), {
        privileged,
        excepted: allowed !== undefined,
      });
      printWarnings(context, warningsFor(confidential));
      for (const { target, text } of files(measurement)) {
        await writeOutput(target, Readable.from([text]), signal);
      }
      const shown =
        template === undefined ? undefined : `${template.evaluate(plainly(measurement))}\n`;
      const text = format === 'json' ? jsonText(measurement) : describeMeasurement(measurement);
      context.stdout.write(shown ?? text);
      return 0;
    });
  },
};

/** Digests that a policy exempts. The library is loaded for such a policy alone. */
async function exceptions({ context, flags }: Invocation): Promise<string | undefined> {
  if (!flags.given('attestation-policy')) return undefined;
  const library = await loadLibrary();
  const digests = await exceptionsOf(context, flags, library, 'attestation-policy');
  return digests.length === 0 ? undefined : digests.join(',');
}

async function ask(
  { context }: Invocation,
  client: Client,
  body: CreateBody,
  { choice, allowed }: { readonly choice: ImageChoice; readonly allowed: string | undefined },
  signal: AbortSignal,
): Promise<unknown> {
  // Nothing boots, so the only decision is whether the image may be pulled.
  const imagePolicy = await registerImagePolicy(client, choice.policy);
  const call = {
    method: 'POST',
    path: '/a3s/v1/measure',
    query: { platform: choice.platform, allowKnownVulnerable: allowed },
    body,
    signal,
  } as const;
  return withImage(context, client, choice, imagePolicy, signal, () => client.json(call));
}

interface OutputFile {
  readonly target: string;
  readonly text: string;
}

/** The target of the output. Whether it can be written is checked before anything is measured. */
function outputFiles({ context, flags }: Invocation): (all: Measurement) => readonly OutputFile[] {
  const outputs: readonly (readonly [string, (all: Measurement) => string])[] = [
    ['launch-out', ({ policy: _, ...launch }) => jsonText(launch)],
    ['policy-out', ({ policy }) => policy],
    ['spec-out', ({ spec }) => spec],
  ];
  const wanted = outputs.flatMap(([flag, textOf]) => {
    const path = flags.string(flag);
    return path === undefined ? [] : [{ target: checkOutputPath(context.cwd, path), textOf }];
  });
  return (all) => wanted.map(({ target, textOf }) => ({ target, text: textOf(all) }));
}

/** Templates name fields with a capital letter, as Docker's documents do. */
function plainly(measurement: Measurement): JsonObject {
  return Object.fromEntries(
    Object.entries(measurement).map(([key, value]) => [
      `${key.charAt(0).toUpperCase()}${key.slice(1)}`,
      value,
    ]),
  );
}
