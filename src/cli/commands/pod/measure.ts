import { Readable } from 'node:stream';
import type { MeasuredPod } from '../../../docker-api/a3s/measure-pod.ts';
import { isObject, objectOf } from '../../client/json.ts';
import type { Command, Invocation } from '../../command.ts';
import { readInput } from '../../files/input-file.ts';
import { checkOutputPath, writeOutput } from '../../files/output-file.ts';
import { byName, string } from '../../flags/flag.ts';
import { jsonText } from '../../output/json-text.ts';
import { describeMeasurement, type Measurement } from '../../output/measurement-text.ts';
import { interruptible } from '../../terminal/interruptible.ts';
import { readMeasurement } from '../confidential/read-measurement.ts';

const TEES = { snp: 'snp', simulate: 'simulated' } as const;
const MAX_MANIFEST = 1024 * 1024;

export const measurePod: Command = {
  usage: '[OPTIONS] --tee TEE MANIFEST',
  description: [
    'Compute what a confidential pod of a manifest of Kubernetes will be, without running it: its launch digest, HOST_DATA',
    'and launch spec, and an attestation policy that accepts such pods and no others. The manifest is a file with a Pod,',
    'or with a workload that has a pod template. Its images have to be there, and the image policy decides about them.',
    'Apply the manifest that --pod-out writes: its pods have the launch spec in an annotation.',
  ].join('\n'),
  flags: byName([
    string('format', 'Print the result as JSON: "json"', { value: 'string' }),
    string('launch-out', 'Write the launch, for attest explain --launch', { value: 'file' }),
    string('pod-out', 'Write the manifest with the launch spec, as JSON', { value: 'file' }),
    string('policy-out', 'Write the attestation policy', { value: 'file' }),
    string('spec-out', 'Write the launch spec, whose SHA-256 is HOST_DATA', { value: 'file' }),
    string('tee', 'Secure processor of the pods: "snp" or "simulate"', { value: 'string' }),
  ]),
  operands: { min: 1, max: 1 },
  async run(invocation) {
    const { context, flags, operands } = invocation;
    const asked = flags.needed('tee', teeOf);
    const json = flags.parsed('format', formatOf) !== undefined;
    const manifest = await readInput(context, operands[0] ?? '', MAX_MANIFEST, '');
    const files = outputFiles(invocation);
    const client = await context.connect();
    return interruptible(context, async (signal) => {
      const body = { Tee: asked, Manifest: Buffer.from(manifest).toString('utf8') };
      const call = { method: 'POST', path: '/a3s/v1/measure-pod', body, signal } as const;
      const answer = objectOf<MeasuredPod>(await client.json(call));
      const expected = { privileged: false, excepted: false };
      const measurement = readMeasurement(TEES[asked], answer, expected);
      for (const { target, text } of files(measurement, answer.manifest)) {
        await writeOutput(target, Readable.from([text]), signal);
      }
      context.stdout.write(json ? jsonText(measurement) : describeMeasurement(measurement));
      return 0;
    });
  },
};

function teeOf(text: string): keyof typeof TEES {
  if (text === 'snp' || text === 'simulate') return text;
  throw new RangeError('must be one of "snp" or "simulate"');
}

function formatOf(text: string): 'json' | undefined {
  if (text === '') return undefined;
  if (text === 'json') return text;
  throw new RangeError('must be "json"');
}

type Written = (all: Measurement, manifest: unknown) => string;

/** Whether the output can be written is checked before anything is measured. */
function outputFiles({ context, flags }: Invocation) {
  const outputs: readonly (readonly [flag: string, textOf: Written])[] = [
    ['launch-out', ({ policy: _, ...launch }) => jsonText(launch)],
    ['pod-out', (_, manifest) => jsonText(isObject(manifest) ? manifest : {})],
    ['policy-out', ({ policy }) => policy],
    ['spec-out', ({ spec }) => spec],
  ];
  const wanted = outputs.flatMap(([flag, textOf]) => {
    const path = flags.string(flag);
    return path === undefined ? [] : [{ target: checkOutputPath(context.cwd, path), textOf }];
  });
  return (...given: Parameters<Written>) =>
    wanted.map(({ target, textOf }) => ({ target, text: textOf(...given) }));
}
