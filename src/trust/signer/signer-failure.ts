/**
 * Translates the errors of `@sigstore/verify` into our codes and messages.
 *
 * @module
 */
import { X509Certificate } from 'node:crypto';
import { VerificationError } from '@sigstore/verify';
import type { Evidence } from '../artifact/evidence.ts';
import { Problem } from '../artifact/problem.ts';
import { signedTimes } from './signed-entity.ts';

/** Anything that a verification throws is a refusal: its parsers throw many kinds of errors. */
export function problemOf(error: unknown, evidence: Evidence): Problem {
  if (error instanceof Problem) return error;
  if (!(error instanceof VerificationError)) {
    return new Problem('malformed', 'its certificate, timestamp or log entry is malformed');
  }
  switch (error.code) {
    case 'CERTIFICATE_ERROR':
      return certificateProblem(error, evidence);
    case 'TIMESTAMP_ERROR':
      // The library has one code for two failures; its version 3 distinguishes them in this way.
      return error.message.startsWith('expected')
        ? new Problem('no-signed-time', 'nobody who is trusted says when it was signed')
        : new Problem(
            'timestamp-invalid',
            'its timestamp is by no trusted authority, or for another signature',
          );
    default:
      return new Problem('signature-invalid', 'its signature does not fit what it is over');
  }
}

function certificateProblem(error: VerificationError, evidence: Evidence): Problem {
  if (error.message.includes('SCT')) {
    return new Problem(
      'sct-invalid',
      'its certificate has no proof by a certificate log of the trusted root',
    );
  }
  const certificate = new X509Certificate(evidence.certificate ?? Buffer.alloc(0));
  const from = new Date(certificate.validFrom);
  const to = new Date(certificate.validTo);
  const late = signedTimes(evidence).find((at) => at < from || at > to);
  if (late !== undefined) {
    return new Problem(
      'certificate-not-valid-then',
      `its certificate is valid from ${from.toISOString()} to ${to.toISOString()}, and it was signed at ${late.toISOString()}`,
    );
  }
  return new Problem(
    'certificate-untrusted',
    'its certificate is by no authority that the trusted root has for the time of signing',
  );
}
