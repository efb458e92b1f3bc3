/**
 * `--ear-…` of `attest verify`: signs the verdict as an attestation result.
 *
 * @module
 */
import { createHash, type KeyObject } from 'node:crypto';
import { Readable } from 'node:stream';
import type { Invocation } from '../../../command.ts';
import { checkOutputPath, writeOutput } from '../../../files/output-file.ts';
import { bool, string } from '../../../flags/flag.ts';
import { privateKey } from '../../../signing/signing-key.ts';
import { UsageError } from '../../../usage-error.ts';
import { parseHexBytes } from '../../../values/confidential/hex.ts';
import { VERSION } from '../../../version.ts';
import type { Library } from '../load-library.ts';
import type { Answer } from '../verdict/judge.ts';
import { algorithmOf } from './ear-algorithm.ts';

export const EAR_FLAGS = [
  bool('ear-evidence', 'Put the report into the attestation result'),
  string('ear-format', 'jwt (default) or cwt', { value: 'format' }),
  string('ear-key', 'Private key that signs it: a file, or env://NAME; PKCS #8 in PEM', {
    value: 'file',
  }),
  string('ear-nonce', 'Nonce of the relying party, 8 to 64 bytes in hexadecimal', { value: 'hex' }),
  string('ear-out', 'Write the verdict to this file, as a signed attestation result (EAR)', {
    value: 'file',
  }),
  string('ear-profile', 'ietf-03 (default), veraison or trustee', { value: 'profile' }),
];

/** A result is for what happens now: five minutes. */
const LIFETIME = 300_000;
const STRICT = 'a3s-box/attestation-strict';

type Ear = Parameters<Library['signEarJwt']>[0];

/** What the flags ask for, read and checked before anything is decided. */
export interface EarRequest {
  readonly target: string;
  readonly format: 'jwt' | 'cwt';
  readonly key: KeyObject;
  readonly algorithm: ReturnType<typeof algorithmOf>;
  readonly profile: Ear['profile'];
  readonly nonce: Uint8Array | undefined;
  readonly withEvidence: boolean;
}

/** Undefined where no result is asked for. @throws UsageError for flags that do not go together */
export async function earRequest(
  invocation: Invocation,
  library: Library,
): Promise<EarRequest | undefined> {
  const { context, flags } = invocation;
  const path = flags.string('ear-out');
  if (path === undefined) {
    const other = EAR_FLAGS.find(({ name }) => flags.given(name));
    if (other === undefined) return undefined;
    throw new UsageError(`--${other.name} only works with --ear-out`);
  }
  if (flags.given('at')) {
    throw new UsageError('--at does not work with --ear-out', {
      remedy: 'A signed result is of now: judge by the time of now, or write no result.',
    });
  }
  const target = checkOutputPath(context.cwd, path);
  const format = flags.parsed('ear-format', formatOf) ?? 'jwt';
  const profile = flags.parsed('ear-profile', (name) => profileOf(library, name)) ?? 'ietf-03';
  const nonce = flags.parsed('ear-nonce', (text) => earNonce(library, text));
  const key = await privateKey(invocation, 'ear-key');
  if (key === undefined) throw flags.missing('ear-key');
  const withEvidence = flags.bool('ear-evidence');
  return {
    target,
    format,
    key,
    algorithm: algorithmOf(key, '--ear-key'),
    profile,
    nonce,
    withEvidence,
  };
}

/** Signs and writes the result of a verdict. `policy` is the text of its file. */
export async function issueEar(
  library: Library,
  request: EarRequest,
  answer: Answer,
  { policy, report, now }: { policy: Uint8Array | undefined; report: Uint8Array; now: Date },
): Promise<void> {
  const policyIds = [policyId(policy)];
  const [name, submod] = answer.submod({ policyIds });
  if (request.nonce !== undefined && submod.status !== 'contraindicated' && !isDated(answer)) {
    throw new UsageError('--ear-nonce: no check of REPORT_DATA shows that the evidence is fresh', {
      remedy: 'Give --report-data with a policy that checks it, or leave out --ear-nonce.',
    });
  }
  const ear: Ear = {
    profile: request.profile,
    issuedAt: now,
    expiresAt: new Date(now.getTime() + LIFETIME),
    verifier: { developer: 'a3s-box', build: `a3s-box ${VERSION}` },
    ...(request.nonce === undefined ? {} : { nonce: request.nonce }),
    ...(request.withEvidence ? { rawEvidence: report } : {}),
    submods: new Map([[name, submod]]),
  };
  const privateKey = request.key.export({ format: 'der', type: 'pkcs8' });
  const options = { key: { algorithm: request.algorithm, privateKey } };
  const token =
    request.format === 'jwt'
      ? Buffer.from(`${await library.signEarJwt(ear, options)}\n`)
      : Buffer.from(await library.signEarCwt(ear, options));
  // A few kilobytes: there is nothing to interrupt.
  await writeOutput(request.target, Readable.from([token]), new AbortController().signal);
}

/** Whether REPORT_DATA is what the caller expects, who made it for the nonce. */
function isDated({ verdict }: Answer): boolean {
  return verdict.checks.some((check) => check.code === 'report-data' && check.verdict === 'passed');
}

/** As `sha256sum` of the policy's file says. */
function policyId(text: Uint8Array | undefined): string {
  if (text === undefined) return STRICT;
  return `sha256:${createHash('sha256').update(text).digest('hex')}`;
}

function formatOf(text: string): EarRequest['format'] {
  if (text === 'jwt' || text === 'cwt') return text;
  throw new RangeError('it takes jwt or cwt');
}

function profileOf(library: Library, text: string): EarRequest['profile'] {
  const profile = library.EAR_PROFILES.find((name) => name === text);
  if (profile !== undefined) return profile;
  throw new RangeError(`it takes ${library.EAR_PROFILES.join(', ')}`);
}

/** @throws RangeError for bytes that are no nonce */
export function earNonce(library: Library, text: string): Uint8Array {
  const size = text.length / 2;
  const { min, max } = library.EAR_NONCE_SIZE;
  if (!Number.isInteger(size) || size < min || size > max) {
    throw new RangeError(`it takes ${min} to ${max} bytes in hexadecimal digits`);
  }
  return parseHexBytes(text, size);
}
