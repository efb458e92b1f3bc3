/**
 * Reads the evidence that the flags of a command name, from any envelope.
 *
 * @module
 */
import { createHash } from 'node:crypto';
import type { Context } from '../../../context.ts';
import { inputName, readInput } from '../../../files/input-file.ts';
import { type Flag, string } from '../../../flags/flag.ts';
import type { FlagValues } from '../../../flags/flag-values.ts';
import { UsageError } from '../../../usage-error.ts';
import { type Library, refusing } from '../load-library.ts';
import { type Certificates, certificatesOf, vekOf } from './certificates-input.ts';
import {
  isJson,
  parseReportFormat,
  REPORT_FORMATS,
  type ReportFormat,
  recogniseFormat,
} from './report-format.ts';

/** More than any envelope has. */
const MAX_BYTES = 2 * 1024 * 1024;
const REPORT_DATA_SIZE = 64;

export const REPORT_FLAGS: readonly Flag[] = [
  string('report', 'Evidence; here as in each file that is read, - is standard input', {
    value: 'file',
  }),
  string(
    'report-format',
    `Format of the evidence, if it is not to be recognised: ${REPORT_FORMATS.join(', ')}`,
    { value: 'format' },
  ),
];

export const CERTIFICATE_FLAGS: readonly Flag[] = [
  string(
    'vek',
    'Certificate of the endorsement key (VCEK or VLEK), DER or PEM; also a PEM chain with it',
    {
      value: 'file',
    },
  ),
  string('certs', 'Certificates, as a PEM chain or a certificate table', { value: 'file' }),
];

type Evidence = Parameters<Library['verify']>[0];

export interface EvidenceInput {
  readonly evidence: Evidence;
  readonly format: ReportFormat;
  /** The source of the endorsement key certificate; undefined where there is none. */
  readonly vekSource?: string | undefined;
  /**
   * The REPORT_DATA that the rest of the envelope requires: 64 bytes in hexadecimal.
   *
   * It binds the two together, and does not show how old they are.
   */
  readonly boundReportData?: string | undefined;
}

/** @throws UsageError for files that cannot be read, InputError for a file that is no envelope */
export async function readEvidence(
  context: Context,
  flags: FlagValues,
  library: Library,
): Promise<EvidenceInput> {
  const path = flags.needed('report', (value) => value);
  const named = flags.parsed('report-format', parseReportFormat);
  const bytes = await readInput(context, path, MAX_BYTES, '--report');
  const name = inputName(path);
  const format = named ?? recogniseFormat(name, bytes);
  return refusing(library, name, () => opened(library, format, bytes));
}

/** Adds the files of `--vek` and `--certs`, which take precedence over the envelope's content. */
export async function addCertificates(
  context: Context,
  flags: FlagValues,
  library: Library,
  input: EvidenceInput,
): Promise<EvidenceInput> {
  const certs = await readCerts(context, flags, library, input.evidence.report);
  const path = flags.string('vek');
  if (path !== undefined && certs.vek !== undefined) {
    throw new UsageError('--vek and --certs both have an endorsement key certificate');
  }
  const { vek, authorities: chained } =
    path === undefined
      ? { vek: certs.vek, authorities: [] }
      : vekOf(library, inputName(path), await readInput(context, path, MAX_BYTES, '--vek'));
  const authorities = [...(input.evidence.authorities ?? []), ...certs.authorities, ...chained];
  const evidence = { ...input.evidence, authorities };
  if (vek === undefined) return { ...input, evidence };
  return {
    ...input,
    evidence: { ...evidence, vek },
    vekSource: path === undefined ? '--certs' : '--vek',
  };
}

async function readCerts(
  context: Context,
  flags: FlagValues,
  library: Library,
  report: Uint8Array,
): Promise<Certificates> {
  const path = flags.string('certs');
  if (path === undefined) return { authorities: [] };
  const bytes = await readInput(context, path, MAX_BYTES, '--certs');
  return certificatesOf(library, inputName(path), bytes, report);
}

function opened(library: Library, format: ReportFormat, bytes: Uint8Array): EvidenceInput {
  if (isAzure(format)) return openedHcl(library, format, bytes);
  const evidence = openEnvelope(library, format, bytes);
  return { evidence, format, vekSource: evidence.vek === undefined ? undefined : 'the evidence' };
}

function openEnvelope(
  library: Library,
  format: Exclude<ReportFormat, AzureFormat>,
  bytes: Uint8Array,
): Evidence {
  switch (format) {
    case 'raw':
      return { report: bytes };
    case 'extended':
      return library.evidenceFromExtendedReport(bytes);
    case 'go-sev-guest':
      return library.evidenceFromGoSevGuestJson(text(bytes));
    case 'coco':
      return library.evidenceFromCocoJson(text(bytes));
    case 'report-response':
      return library.evidenceFromReportResponse(bytes);
    case 'pem':
      return library.evidenceFromReportPem(bytes);
    case 'tinfoil':
      return library.evidenceFromTinfoilJson(text(bytes));
    case 'tsm-report':
      return library.evidenceFromTsmReportJson(text(bytes));
    case 'dstack':
      return (
        isJson(bytes)
          ? library.evidenceFromDstackJson(text(bytes))
          : library.evidenceFromDstack(bytes)
      ).evidence;
  }
}

const AZURE_FORMATS = ['azure-hcl', 'az-snp-vtpm', 'attestation-rs'] as const;
type AzureFormat = (typeof AZURE_FORMATS)[number];

function isAzure(format: ReportFormat): format is AzureFormat {
  return AZURE_FORMATS.some((each) => each === format);
}

function hclIn(library: Library, format: AzureFormat, bytes: Uint8Array) {
  switch (format) {
    case 'azure-hcl':
      return library.evidenceFromAzureHcl(bytes);
    case 'az-snp-vtpm':
      return library.evidenceFromAzureVtpmJson(text(bytes));
    case 'attestation-rs':
      return library.evidenceFromAttestationRsJson(text(bytes));
  }
}

function openedHcl(library: Library, format: AzureFormat, bytes: Uint8Array): EvidenceInput {
  const { evidence, runtimeData, hashAlgorithm } = hclIn(library, format, bytes);
  const digest = createHash(hashAlgorithm).update(runtimeData).digest('hex');
  return {
    evidence,
    format,
    vekSource: evidence.vek === undefined ? undefined : 'the evidence',
    boundReportData: digest.padEnd(REPORT_DATA_SIZE * 2, '0'),
  };
}

/** Bytes that are not UTF-8 become characters that no envelope has. */
function text(bytes: Uint8Array): string {
  return new TextDecoder('utf-8', { ignoreBOM: true }).decode(bytes);
}
