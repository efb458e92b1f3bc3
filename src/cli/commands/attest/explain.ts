import type { Command, Invocation } from '../../command.ts';
import type { Context } from '../../context.ts';
import { InputError } from '../../files/input-error.ts';
import { hashInput, inputName, readInput } from '../../files/input-file.ts';
import { bool, byName, list, string } from '../../flags/flag.ts';
import type { FlagValues } from '../../flags/flag-values.ts';
import { jsonText } from '../../output/json-text.ts';
import { UsageError } from '../../usage-error.ts';
import { parseHexBytes } from '../../values/confidential/hex.ts';
import {
  describeHostData,
  explainHostData,
  type HostDataExplanation,
} from './explain-host-data.ts';
import {
  describeVulnerableLaunches,
  type VulnerableLaunch,
  vulnerableOf,
} from './explain-vulnerable.ts';
import { describeExplanation } from './explanation-text.ts';
import { EXCEPTIONS_FLAG, exceptionsOf } from './input/known-vulnerable.ts';
import { type LaunchDocument, readLaunch } from './input/launch-document.ts';
import { MAX_OVMF, OVMF_FLAGS, ovmfLaunch } from './input/ovmf-launch.ts';
import { failureOf, tellingPrograms } from './json-failure.ts';
import { type Library, loadLibrary, refusing } from './load-library.ts';

const DIGEST_SIZE = 48;
const HASH_SIZE = 32;
const MAX_ARTEFACTS = 64;
const VMMS = ['qemu', 'ec2', 'gce'] as const;
const KINDS = ['ovmf', 'kernel', 'initrd', 'append'] as const;
const ARTEFACTS = 'ovmf=FILE, kernel=FILE, initrd=FILE or append=TEXT';

export const explain: Command = {
  usage: '[OPTIONS] --launch FILE --actual HEX',
  description: [
    'Find out which input makes the launch digest of a report differ from the one computed, and which field of the launch',
    'spec makes its HOST_DATA differ. --launch is the launch that was expected, as a3s-box measure --launch-out writes it;',
    'without it, flags say it, as for attest measure. What the host says with --record is believed only if it gives the',
    'actual values; without it, other launches are tried.',
    'Exits with 0 if all is the expected one or explained, 1 if not or if either launch is known to be vulnerable and',
    '--policy does not except it, 2 for unusable input.',
  ].join('\n'),
  flags: byName([
    string('actual', 'MEASUREMENT of the report, 96 hexadecimal digits', { value: 'hex' }),
    string('actual-host-data', 'HOST_DATA of the report, 64 hexadecimal digits', { value: 'hex' }),
    list('artefact', `What may have been launched instead: ${ARTEFACTS}`, { value: 'kind=value' }),
    ...OVMF_FLAGS,
    EXCEPTIONS_FLAG,
    bool('json', 'Print a JSON document'),
    string('launch', 'Launch that was expected, of a3s-box measure --launch-out', {
      value: 'file',
    }),
    string('record', 'Launch of the box as its host says, which need not be trusted', {
      value: 'file',
    }),
    string('vmm', `Virtual machine monitor: ${VMMS.join(', ')}; qemu if not given`, {
      value: 'monitor',
    }),
  ]),
  operands: { min: 0, max: 0 },
  run: tellingPrograms(async (invocation) => {
    const { context, flags } = invocation;
    const actual = flags.needed('actual', (text) => parseHexBytes(text, DIGEST_SIZE));
    const hostData = flags.parsed('actual-host-data', (text) => parseHexBytes(text, HASH_SIZE));
    const named = flags.parsedList('artefact', parseArtefact);
    const library = await loadLibrary();
    const { inputs, spec } = await expectedLaunch(invocation, library);
    if (hostData !== undefined && spec === undefined) throw withoutSpec();
    const claim = await readClaim(context, flags, library);
    const artefacts = await readArtefacts(context, named);
    const digest = refusing(library, '', () =>
      library.explain(inputs, hex(actual), { record: claim?.record, artefacts }),
    );
    const allowed = await exceptionsOf(context, flags, library);
    const options = { record: claim?.record, artefacts };
    const explanation = {
      digest,
      knownVulnerable: vulnerableOf(library, inputs, digest, options, allowed),
      hostData:
        hostData === undefined || spec === undefined
          ? undefined
          : explainHostData(library, spec, hex(hostData), claim?.spec),
    };
    context.stdout.write(flags.bool('json') ? documentOf(explanation) : describe(explanation));
    return isExplained(explanation) && explanation.knownVulnerable.length === 0 ? 0 : 1;
  }, unexplained),
};

interface Explained {
  readonly digest: ReturnType<Library['explain']>;
  readonly knownVulnerable: readonly VulnerableLaunch[];
  /** Undefined where it was not requested. */
  readonly hostData: HostDataExplanation | undefined;
}

function isExplained({ digest, hostData }: Explained): boolean {
  const known = hostData === undefined || hostData.matches || hostData.record === 'confirmed';
  return known && (digest.matches || digest.cause !== undefined);
}

function documentOf(explanation: Explained): string {
  const { digest, hostData, knownVulnerable } = explanation;
  const code = knownVulnerable.length === 0 ? {} : { code: 'known-vulnerable' };
  const explained = isExplained(explanation);
  return jsonText({ explained, ...code, ...digest, hostData, knownVulnerable });
}

function describe({ digest, hostData, knownVulnerable }: Explained): string {
  const ofSpec = hostData === undefined ? '' : `\n${describeHostData(hostData)}`;
  const vulnerable = describeVulnerableLaunches(knownVulnerable);
  return `${describeExplanation(digest)}${ofSpec}${vulnerable}`;
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex');
}

type Inputs = Parameters<Library['explain']>[0];

/** The expected launch, from a file or from the flags. */
async function expectedLaunch(
  { context, flags }: Invocation,
  library: Library,
): Promise<{ inputs: Inputs; spec: string | undefined }> {
  const path = flags.string('launch');
  if (path === undefined) {
    const vmm = flags.parsed('vmm', parseVmm) ?? 'qemu';
    return { inputs: await ovmfLaunch(context, flags, library, vmm), spec: undefined };
  }
  const other = ['vmm', ...OVMF_FLAGS.map(({ name }) => name)].find((name) => flags.given(name));
  if (other !== undefined)
    throw new UsageError(`cannot use --${other} with --launch: the launch record has it`);
  const { record, spec } = await readLaunch(context, library, path, '--launch');
  if (record === undefined) {
    throw new InputError('launch-record-malformed', `${inputName(path)}: it has no launch record`);
  }
  return { inputs: library.recordInputs(record), spec };
}

function withoutSpec(): UsageError {
  return new UsageError('--actual-host-data: there is no launch spec to compare it with', {
    remedy: 'Give --launch with what a3s-box measure --launch-out wrote.',
  });
}

function unexplained(error: unknown): object {
  return { explained: false, ...failureOf(error) };
}

type Options = NonNullable<Parameters<Library['explain']>[2]>;
type Artefact = NonNullable<Options['artefacts']>[number];

interface NamedArtefact {
  readonly kind: Artefact['kind'];
  /** A path, or a command line. */
  readonly value: string;
}

function parseVmm(text: string): (typeof VMMS)[number] {
  const vmm = VMMS.find((name) => name === text);
  if (vmm !== undefined) return vmm;
  throw new RangeError(`it takes one of ${VMMS.join(', ')}: nothing else can be explained`);
}

function parseArtefact(text: string): NamedArtefact {
  const equals = text.indexOf('=');
  const kind = KINDS.find((name) => name === text.slice(0, Math.max(equals, 0)));
  const value = text.slice(equals + 1);
  if (kind === undefined || (value === '' && kind !== 'append')) {
    throw new RangeError(`it takes ${ARTEFACTS}`);
  }
  return { kind, value };
}

async function readClaim(
  context: Context,
  flags: FlagValues,
  library: Library,
): Promise<LaunchDocument | undefined> {
  const path = flags.string('record');
  return path === undefined ? undefined : readLaunch(context, library, path, '--record');
}

/** One after the other: each firmware is held in memory. */
async function readArtefacts(
  context: Context,
  named: readonly NamedArtefact[],
): Promise<readonly Artefact[]> {
  if (named.length > MAX_ARTEFACTS) {
    throw new UsageError(`--artefact is given more than ${MAX_ARTEFACTS} times`);
  }
  const artefacts: Artefact[] = [];
  for (const each of named) artefacts.push(await readArtefact(context, each));
  return artefacts;
}

async function readArtefact(
  context: Context,
  { kind, value: name }: NamedArtefact,
): Promise<Artefact> {
  switch (kind) {
    case 'append':
      return { kind, name, content: name };
    case 'ovmf':
      return { kind, name, content: await readInput(context, name, MAX_OVMF, '--artefact') };
    default:
      return { kind, name, content: { sha256: await hashInput(context, name, '--artefact') } };
  }
}
