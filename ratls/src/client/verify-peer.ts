/**
 * Verifies that a peer is the box that the relying party trusts: the certificate first, then the
 * answer to a challenge.
 *
 * @module
 */
import { createHash, randomBytes } from 'node:crypto';
import type { ClientHttp2Session } from 'node:http2';
import type { Appraisal, Claims, Evidence, VerifyCheck } from '@a3s-box/attestation';
import type { EarSubmod } from '@a3s-box/attestation/ear';
import {
  type LaunchSpec,
  LaunchSpecError,
  type PodLaunchSpec,
  parseAnyLaunchSpec,
} from '@a3s-box/policies';
import { hostDataOf, isHostDataOf } from '@a3s-box/policies/host-data';
import {
  ATTEST_EXPORTER,
  EXPORTER_SIZE,
  NONCE_SIZE,
  PURPOSES,
  ROLES,
  reportDataOf,
  workloadReportData,
} from '../binding/report-data.ts';
import { type CertificateClaims, claimsReportData } from '../certificate/claims.ts';
import type { Tee } from '../certificate/evidence-extension.ts';
import { type PeerCertificate, peerEvidence } from '../certificate/peer-certificate.ts';
import type { RatlsCheck, RatlsCheckCode } from '../checks.ts';
import { RatlsError } from '../errors.ts';
import { AttestAnswer, MAX_ATTEST_ANSWER } from '../protocol/messages.ts';
import { exchange } from './exchange.ts';
import type { TrustOptions } from './options.ts';
import { narrowed, refusalOf } from './read-json.ts';
import type { TlsConnection } from './tls-connection.ts';
import { type Verified, verifyEvidence } from './verify-evidence.ts';

/** A peer that passed every check. */
export interface VerifiedPeer {
  readonly tee: Tee;
  /** Where true, no hardware vouches for any of this. */
  readonly simulated: boolean;
  /** SubjectPublicKeyInfo of its key in this session. */
  readonly spki: Uint8Array;
  /** Hexadecimal. */
  readonly instance: string;
  /** Hexadecimal: SHA-256 of `specText`, which HOST_DATA is made of. */
  readonly specDigest: string;
  /** Of a box, or of a pod: `schema` says which. */
  readonly spec: LaunchSpec | PodLaunchSpec;
  readonly specText: string;
  /** What the fresh report says. */
  readonly claims: Claims;
  /** How each check of the session, of the report and of the policy went. */
  readonly checks: readonly RatlsCheck[];
  readonly verification: readonly VerifyCheck[];
  readonly appraisal: Appraisal;
  /** What an attestation result says of it, with its key; for `@a3s-box/attestation/ear`. */
  readonly submod: EarSubmod;
  /** The fresh evidence and the expected REPORT_DATA, for another tool to verify. */
  readonly evidence: Evidence;
  readonly crl: Uint8Array | undefined;
  readonly reportData: Uint8Array;
  readonly nonce: Uint8Array;
}

/** The timeout and the signal, with the defaults filled in. */
export interface Waiting {
  readonly timeout: number;
  readonly signal?: AbortSignal | undefined;
}

/** Without `checks`, which the caller adds. */
export type UncountedPeer = Omit<VerifiedPeer, 'checks'>;

/**
 * Checks the certificate as an early hint: a wrong one ends the session, a right one proves
 * nothing.
 *
 * @throws {RatlsError} `certificate-tee` to `certificate-report`
 */
export async function checkHint(
  { certificate }: TlsConnection,
  trust: TrustOptions,
  skipped: Set<RatlsCheckCode>,
): Promise<PeerCertificate> {
  const workload = trust.peer === 'workload';
  const hint = peerEvidence(certificate, trust.policy.tee, {
    reportData: (buffer, claims) =>
      workload ? workloadReportData(claimsReportData(buffer), claims) : claimsReportData(buffer),
  });
  if (hint.certificates.length === 0) {
    skipped.add('certificate-report');
    return hint;
  }
  const { claims } = await verifyEvidence('certificate-report', hint, trust);
  requireHostData('certificate-report', hex(hint.claims.specDigest), claims.hostData);
  return hint;
}

/**
 * Challenges the peer, and judges its answer.
 *
 * @throws {RatlsError} `attest-answer` to `expected-deployment`
 */
export async function challenge(
  { socket }: TlsConnection,
  session: ClientHttp2Session,
  hint: PeerCertificate,
  options: TrustOptions & Waiting,
): Promise<UncountedPeer> {
  const nonce = randomBytes(NONCE_SIZE.least);
  const exporter = socket.exportKeyingMaterial(EXPORTER_SIZE, ATTEST_EXPORTER, nonce);
  const answer = await ask(session, nonce, options);
  const { evidence, instance, specDigest } = answer;
  requireSame('attest-tee', options.policy.tee, evidence.tee);
  requireClaims(hint.claims, answer);
  const { tee, report, certificates = new Uint8Array() } = evidence;
  const verified = await verifyEvidence('evidence', { tee, report, certificates }, options);
  const bound = boundData(hint.spki, nonce, exporter, answer, options.peer);
  requireSame('report-data', hex(bound), verified.claims.reportData);
  requireSame('spec-digest', createHash('sha256').update(answer.spec).digest('hex'), specDigest);
  requireHostData('host-data', specDigest, verified.claims.hostData);
  const spec = specOf(answer.spec);
  requireSame('host-data', hostDataOf(specDigest, isPrivileged(spec)), verified.claims.hostData);
  const appraisal = appraised(verified, bound);
  checkExpected(options, { specDigest, instance, deployment: spec.deployment });
  return {
    tee,
    simulated: tee === 'simulated',
    spki: hint.spki,
    instance,
    specDigest,
    spec,
    specText: Buffer.from(answer.spec).toString('utf8'),
    claims: verified.claims,
    verification: verified.checks,
    appraisal,
    submod: verified.submod(appraisal, hint.spki),
    evidence: verified.evidence,
    crl: verified.crl,
    reportData: bound,
    nonce,
  };
}

async function ask(
  session: ClientHttp2Session,
  nonce: Buffer,
  { timeout, signal }: Waiting,
): Promise<AttestAnswer> {
  const body = JSON.stringify({ nonce: nonce.toString('base64') });
  const limit = MAX_ATTEST_ANSWER;
  const request = { method: 'POST', path: '/attest', body, limit, timeout, signal } as const;
  try {
    const answer = await exchange(session, request);
    if (answer.status !== 200) throw refusalOf(answer);
    return narrowed(answer.body, AttestAnswer);
  } catch (cause) {
    if (!(cause instanceof RatlsError) || !ANSWERED_BADLY.has(cause.code)) throw cause;
    const { message, expected, found } = cause;
    throw new RatlsError('attest-answer', `Cannot attest the peer: ${message}`, {
      expected,
      found: found ?? cause.code,
      remedy: 'Try again; if it stays, the peer is no box, or of another version.',
      cause,
    });
  }
}

/** Codes that are a peer's fault; the others are those of the network or the caller. */
const ANSWERED_BADLY: ReadonlySet<string> = new Set([
  'protocol',
  'too-large',
  'refused',
  'rate-limited',
  'processor-unavailable',
  'not-attested',
  'closed',
]);

/**
 * The expected REPORT_DATA: the agent requests its report itself, a workload requests it from the
 * agent.
 */
function boundData(
  spki: Uint8Array,
  nonce: Uint8Array,
  exporter: Uint8Array,
  answer: AttestAnswer,
  peer: TrustOptions['peer'],
): Uint8Array {
  const instance = Buffer.from(answer.instance, 'hex');
  const specDigest = Buffer.from(answer.specDigest, 'hex');
  const [purpose, role] = [PURPOSES.session, ROLES.server];
  const own = reportDataOf({ purpose, spki, nonce, exporter, role, instance, specDigest });
  return peer === 'workload' ? workloadReportData(own, { instance, specDigest }) : own;
}

function requireClaims(claims: CertificateClaims, { instance, specDigest }: AttestAnswer): void {
  requireSame('attest-claims', hex(claims.instance), instance);
  requireSame('attest-claims', hex(claims.specDigest), specDigest);
}

function specOf(bytes: Uint8Array): LaunchSpec | PodLaunchSpec {
  try {
    return parseAnyLaunchSpec(bytes);
  } catch (cause) {
    if (!(cause instanceof LaunchSpecError)) throw cause;
    throw new RatlsError('spec-malformed', `${cause.message}.`, {
      remedy: 'Use a version of this package as new as the box.',
      cause,
    });
  }
}

function appraised(verified: Verified, reportData: Uint8Array): Appraisal {
  const appraisal = verified.appraise(reportData);
  if (appraisal.accepted) return appraisal;
  const failed = appraisal.checks.filter(({ verdict }) => verdict === 'failed');
  const [first] = failed;
  const codes = failed.map(({ code }) => code).join(', ');
  throw new RatlsError('appraisal', `Cannot accept the box: the policy rejects it (${codes}).`, {
    expected: first?.expected,
    found: first?.actual,
    remedy: 'Change the box or its host, or the policy, if it asks for more than you need.',
    appraisal,
  });
}

function checkExpected(
  { expect = {} }: TrustOptions,
  {
    specDigest,
    instance,
    deployment,
  }: Required<Record<'specDigest' | 'instance' | 'deployment', string>>,
): void {
  requireSame('expected-spec', expect.specDigest?.toLowerCase() ?? specDigest, specDigest);
  requireSame('expected-instance', expect.instance?.toLowerCase() ?? instance, instance);
  requireSame('expected-deployment', expect.deployment ?? deployment, deployment);
}

const REASONS: Readonly<Partial<Record<RatlsCheckCode, string>>> = {
  'certificate-report': 'the report in its certificate is of another launch spec',
  'attest-tee': 'its evidence is of another kind',
  'attest-claims': 'it answers for another box than its certificate names',
  'report-data': 'its report was not made for this session',
  'spec-digest': 'its launch spec is not the one that it names',
  'host-data': 'its report is of another launch spec',
  'expected-spec': 'it has another launch spec',
  'expected-instance': 'it is another instance',
  'expected-deployment': 'it is of another deployment',
};

/** The launch spec says which of the two it is, and is not known here. */
function requireHostData(code: RatlsCheckCode, specDigest: string, hostData: string): void {
  if (!isHostDataOf(hostData, specDigest)) requireSame(code, specDigest, hostData);
}

/** No pod is. */
function isPrivileged(spec: LaunchSpec | PodLaunchSpec): boolean {
  return 'confinement' in spec && spec.confinement.privileged === true;
}

function requireSame(code: RatlsCheckCode, expected: string, found: string): void {
  if (found === expected) return;
  const reason = REASONS[code] ?? 'it is another one';
  throw new RatlsError(code, `Cannot accept the peer: ${reason}.`, {
    expected,
    found,
    remedy: 'Do not send it anything.',
  });
}

const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex');
