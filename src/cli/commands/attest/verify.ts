import type { Command, Invocation } from '../../command.ts';
import type { Context } from '../../context.ts';
import { InputError } from '../../files/input-error.ts';
import { inputName, readInput } from '../../files/input-file.ts';
import { bool, byName, string } from '../../flags/flag.ts';
import type { FlagValues } from '../../flags/flag-values.ts';
import { jsonText } from '../../output/json-text.ts';
import { UsageError } from '../../usage-error.ts';
import { parseHexBytes } from '../../values/confidential/hex.ts';
import { parseInstant } from '../../values/times/instant.ts';
import { EAR_FLAGS, earRequest, issueEar } from './ear/issue-ear.ts';
import { cachedCrl, cachedVek } from './endorsements/cached-endorsements.ts';
import { crlOf } from './input/certificates-input.ts';
import {
  addCertificates,
  CERTIFICATE_FLAGS,
  type EvidenceInput,
  REPORT_FLAGS,
  readEvidence,
} from './input/evidence-input.ts';
import { readLaunch } from './input/launch-document.ts';
import { readPolicy } from './input/policy-input.ts';
import { failureOf, tellingPrograms } from './json-failure.ts';
import { type Library, loadLibrary, refusing } from './load-library.ts';
import { judge, meaningsOf, type Question } from './verdict/judge.ts';
import { describeVerdict, SIMULATED_BANNER } from './verdict/verdict-text.ts';

const MAX_CRL = 1024 * 1024;
const MAX_ROOTS = 128 * 1024;
const REPORT_DATA_SIZE = 64;

export const verify: Command = {
  usage: '[OPTIONS] --report FILE',
  description: [
    'Verify SEV-SNP evidence against the keys of AMD and hold it against a policy. Touches no network.',
    'A certificate or revocation list that is not given is taken from the cache, if it is there;',
    'a list that was got after the time of --at counts as got at that time.',
    'Exits with 0 if the evidence is accepted, 1 if it is rejected, 2 if that cannot be decided:',
    'a file cannot be read, is no known kind of evidence, or the policy or a flag is malformed.',
  ].join('\n'),
  flags: byName([
    bool('allow-product-name-mismatch', 'Accept a certificate that names another product'),
    bool('allow-simulated', 'Take the evidence for simulated, with --simulated-roots'),
    string('at', 'Time to judge by, such as 2026-03-01T12:00:00Z; now if not given', {
      value: 'time',
    }),
    ...CERTIFICATE_FLAGS,
    ...EAR_FLAGS,
    string('crl', 'Revocation list, DER or PEM, obtained now', { value: 'file' }),
    bool('json', 'Print a JSON document'),
    string('policy', 'Policy, YAML or JSON; without one the strict policy, which accepts nobody', {
      value: 'file',
    }),
    string('record', 'Launch of the guest as its host says, whose firmware is then looked at', {
      value: 'file',
    }),
    ...REPORT_FLAGS,
    string('report-data', 'REPORT_DATA that the report must have, 128 hexadecimal digits', {
      value: 'hex',
    }),
    string('simulated-roots', 'Certificates of a simulated secure processor, PEM', {
      value: 'file',
    }),
  ]),
  operands: { min: 0, max: 0 },
  run: tellingPrograms(run, undecided),
};

async function run(invocation: Invocation): Promise<number> {
  const { context, flags } = invocation;
  const now = flags.parsed('at', parseInstant) ?? new Date();
  const reportData = flags.parsed('report-data', (text) => parseHexBytes(text, REPORT_DATA_SIZE));
  const library = await loadLibrary();
  const request = await earRequest(invocation, library);
  const simulatedRoots = await readSimulatedRoots(context, flags, library);
  const given = await readEvidence(context, flags, library);
  const certified = await addCertificates(context, flags, library, given);
  const { policy, text } = await chosenPolicy(context, flags, library);
  const endorsed = simulatedRoots === undefined;
  const input = endorsed ? await addCachedVek(context, library, certified) : certified;
  const list = await revocationList(context, flags, library, input, now, endorsed);
  const answer = judge(library, {
    evidence: input.evidence,
    options: {
      now,
      crl: list?.crl,
      crlObtainedAt: list?.obtainedAt,
      allowProductNameMismatch: flags.bool('allow-product-name-mismatch'),
    },
    policy,
    reportData,
    boundReportData: input.boundReportData,
    sources: {
      format: input.format,
      vek: input.vekSource ?? null,
      crl: list?.source ?? null,
      reportData: reportData === undefined ? null : '--report-data',
    },
    record: await readRecord(context, flags, library),
    simulatedRoots,
  });
  const { verdict, refusal } = answer;
  if (request !== undefined) {
    const about = { policy: text, report: input.evidence.report, now };
    await issueEar(library, request, answer, about);
  }
  if (flags.bool('json')) {
    if (!endorsed) context.stderr.write(SIMULATED_BANNER);
    context.stdout.write(jsonText(verdict));
  } else {
    context.stdout.write(describeVerdict(verdict, meaningsOf(library), refusal));
  }
  return verdict.accepted ? 0 : 1;
}

/** Rejected by default, and without a check. */
function undecided(cause: unknown): object {
  const { code, error } = failureOf(cause);
  return { accepted: false, code, checks: [], error };
}

async function readSimulatedRoots(
  context: Context,
  flags: FlagValues,
  library: Library,
): Promise<Question['simulatedRoots']> {
  const path = flags.string('simulated-roots');
  const allowed = flags.bool('allow-simulated');
  if (path === undefined && !allowed) return undefined;
  if (path === undefined || !allowed) {
    throw new UsageError('--simulated-roots and --allow-simulated only work together', {
      remedy: 'Give both flags: simulated evidence proves nothing.',
    });
  }
  const pem = await readInput(context, path, MAX_ROOTS, '--simulated-roots');
  return refusing(library, inputName(path), () => library.parseSimulatedRoots(pem));
}

async function readRecord(
  context: Context,
  flags: FlagValues,
  library: Library,
): Promise<Question['record']> {
  const path = flags.string('record');
  if (path === undefined) return undefined;
  const { record } = await readLaunch(context, library, path, '--record');
  if (record !== undefined) return record;
  throw new InputError('launch-record-malformed', `${inputName(path)}: it has no launch record`);
}

async function chosenPolicy(
  context: Context,
  flags: FlagValues,
  library: Library,
): Promise<{ readonly policy: Question['policy']; readonly text?: Uint8Array }> {
  const path = flags.string('policy');
  if (path === undefined) return { policy: library.STRICT_POLICY };
  return readPolicy(context, library, path, '--policy');
}

async function addCachedVek(
  context: Context,
  library: Library,
  input: EvidenceInput,
): Promise<EvidenceInput> {
  if (input.evidence.vek !== undefined) return input;
  const vek = await cachedVek(context, library, input.evidence);
  if (vek === undefined) return input;
  return { ...input, evidence: { ...input.evidence, vek }, vekSource: 'the cache' };
}

interface RevocationList {
  readonly crl: Uint8Array;
  readonly obtainedAt: Date;
  readonly source: string;
}

async function revocationList(
  context: Context,
  flags: FlagValues,
  library: Library,
  { evidence }: EvidenceInput,
  now: Date,
  endorsed: boolean,
): Promise<RevocationList | undefined> {
  const path = flags.string('crl');
  if (path === undefined) {
    return endorsed ? cachedCrl(context, library, evidence, now) : undefined;
  }
  const bytes = await readInput(context, path, MAX_CRL, '--crl');
  return { crl: crlOf(library, inputName(path), bytes), obtainedAt: now, source: '--crl' };
}
