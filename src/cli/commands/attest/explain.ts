import type { Command } from '../../command.ts';
import type { Context } from '../../context.ts';
import { bool, byName, list, string } from '../../flags/flag.ts';
import type { FlagValues } from '../../flags/flag-values.ts';
import { InputError } from '../../input-error.ts';
import { hashInput, inputName, readInput } from '../../input-file.ts';
import { jsonText } from '../../output/json-text.ts';
import { UsageError } from '../../usage-error.ts';
import { parseHexBytes } from '../../values/hex.ts';
import { describeExplanation } from './explanation-text.ts';
import { failureOf, tellingPrograms } from './json-failure.ts';
import { MAX_OVMF, OVMF_FLAGS, ovmfLaunch } from './launch-flags.ts';
import { type Library, loadLibrary, refusing } from './load-library.ts';

const DIGEST_SIZE = 48;
const MAX_RECORD = 1024 * 1024;
const MAX_ARTEFACTS = 64;
const VMMS = ['qemu', 'ec2', 'gce'] as const;
const KINDS = ['ovmf', 'kernel', 'initrd', 'append'] as const;
const ARTEFACTS = 'ovmf=FILE, kernel=FILE, initrd=FILE or append=TEXT';

export const explain: Command = {
  usage: '[OPTIONS] --ovmf FILE --vcpus N --vcpu-type MODEL --actual HEX',
  description: [
    'Find out which input makes the launch digest of a report differ from the one computed.',
    'The flags say the launch that was expected, as for measure. A launch record of the host is',
    'believed only if it gives the actual digest; without one, other launches are tried.',
    'Exits with 0 if the digest is the expected one or explained, 1 if not, 2 for unusable input.',
  ].join('\n'),
  flags: byName([
    string('actual', 'MEASUREMENT of the report, 96 hexadecimal digits', { value: 'hex' }),
    list('artefact', `What may have been launched instead: ${ARTEFACTS}`, { value: 'kind=value' }),
    ...OVMF_FLAGS,
    bool('json', 'Print a JSON document'),
    string('record', 'Launch record of the host, which need not be trusted', { value: 'file' }),
    string('vmm', `Virtual machine monitor: ${VMMS.join(', ')}; qemu if not given`, {
      value: 'monitor',
    }),
  ]),
  operands: { min: 0, max: 0 },
  run: tellingPrograms(async ({ context, flags }) => {
    const actual = flags.needed('actual', (text) => parseHexBytes(text, DIGEST_SIZE));
    const vmm = flags.parsed('vmm', parseVmm) ?? 'qemu';
    const named = flags.parsedList('artefact', parseArtefact);
    const library = await loadLibrary();
    const launch = await ovmfLaunch(context, flags, library, vmm);
    const record = await readRecord(context, flags, library);
    const artefacts = await readArtefacts(context, named);
    const explanation = refusing(library, '', () =>
      library.explain(launch, Buffer.from(actual).toString('hex'), { record, artefacts }),
    );
    const explained = explanation.matches || explanation.cause !== undefined;
    context.stdout.write(
      flags.bool('json')
        ? jsonText({ explained, ...explanation })
        : describeExplanation(explanation),
    );
    return explained ? 0 : 1;
  }, unexplained),
};

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

async function readRecord(
  context: Context,
  flags: FlagValues,
  library: Library,
): Promise<Options['record']> {
  const path = flags.string('record');
  if (path === undefined) return undefined;
  const bytes = await readInput(context, path, MAX_RECORD, '--record');
  const name = inputName(path);
  return refusing(library, name, () => library.parseLaunchRecord(parseJson(name, bytes)));
}

function parseJson(path: string, bytes: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch (cause) {
    throw new InputError('launch-record-malformed', `${path}: it is no JSON`, { cause });
  }
}

/** One after the other: firmware is kept in memory. */
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
