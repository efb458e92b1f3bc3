/**
 * The checks of a session, in their order. The first that fails ends the session.
 *
 * @module
 */

/** What each check looks at. */
export const RATLS_CHECKS = {
  'tls-version': 'TLS 1.3 and no other version',
  'tls-resumed': 'the session is new, so that the peer has shown its key',
  alpn: 'HTTP/2 was agreed upon',
  'tls-key': 'the peer has the key of the certificate that it shows',
  'certificate-encoding': 'one certificate in DER, of a key on P-384',
  'certificate-signature': 'the certificate is signed by its own key',
  'certificate-tee': 'the certificate carries evidence of the kind that the policy asks for',
  'certificate-evidence': 'evidence in the certificate can be read',
  'certificate-key': "claims in the certificate are of the session's key",
  'certificate-report-data': 'the report in the certificate is over its claims',
  'certificate-report': 'the report in the certificate would be accepted, but for its age',
  'attest-answer': 'the peer answers the challenge',
  'attest-tee': 'the answer has evidence of the kind that the policy asks for',
  'attest-claims': 'the answer is of the box that the certificate is of',
  evidence: 'the fresh report is signed by a secure processor that is trusted',
  'report-data': 'the fresh report is over this nonce, this session, this key and this box',
  'spec-digest': 'the launch spec has the digest that the answer says',
  'host-data': 'HOST_DATA of the fresh report is that of the launch spec',
  'spec-malformed': 'the launch spec can be read',
  appraisal: 'the policy accepts the fresh report',
  'expected-spec': 'the launch spec is the expected one',
  'expected-instance': 'the instance is the expected one',
  'expected-deployment': 'the deployment is the expected one',
} as const;

export type RatlsCheckCode = keyof typeof RATLS_CHECKS;

/** How one check went. */
export interface RatlsCheck {
  readonly code: RatlsCheckCode;
  readonly verdict: 'passed' | 'failed' | 'skipped';
  readonly expected?: string;
  readonly actual?: string;
}

const ORDER = Object.keys(RATLS_CHECKS) as readonly RatlsCheckCode[];

/** All checks. None failed; `skipped` checks had nothing to check. */
export function passedChecks(skipped: ReadonlySet<RatlsCheckCode>): readonly RatlsCheck[] {
  return Object.freeze(ORDER.map((code) => before(code, skipped)));
}

/** All checks: the passed ones, the failed one, and the skipped ones after it. */
export function failedChecks(
  failed: {
    readonly code: RatlsCheckCode;
    readonly expected?: string | undefined;
    readonly found?: string | undefined;
  },
  skipped: ReadonlySet<RatlsCheckCode>,
): readonly RatlsCheck[] {
  const at = ORDER.indexOf(failed.code);
  const { code, expected, found } = failed;
  return Object.freeze(
    ORDER.map((each, index): RatlsCheck => {
      if (index !== at) {
        return index < at
          ? before(each, skipped)
          : Object.freeze({ code: each, verdict: 'skipped' });
      }
      return Object.freeze({
        code,
        verdict: 'failed',
        ...(expected === undefined ? {} : { expected }),
        ...(found === undefined ? {} : { actual: found }),
      });
    }),
  );
}

function before(code: RatlsCheckCode, skipped: ReadonlySet<RatlsCheckCode>): RatlsCheck {
  return Object.freeze({ code, verdict: skipped.has(code) ? 'skipped' : 'passed' });
}
