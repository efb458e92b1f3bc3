/**
 * Flags of cosign that `image sign` and `image attest` share, and those that they refuse.
 *
 * @module
 */
import { bool, type Flag, refused } from './flag.ts';
import type { FlagValues } from './flag-values.ts';

const NO_LOG = 'nothing is put into a transparency log';
const NO_CERTIFICATE = 'only keys sign; for signing without one use cosign';
const HOST = 'registries are set up in certs.d and registries.yaml';

const UPLOAD_FLAG = bool(
  'upload',
  'Put it beside the image in its registry, too; otherwise it is here alone',
  { on: true },
);

export const SIGNING_FLAGS: readonly Flag[] = [
  UPLOAD_FLAG,
  // Flags that scripts for cosign pass, and that change nothing here.
  bool('tlog-upload', `Must be false: ${NO_LOG}`),
  bool('yes', 'Accepted for scripts: nothing is asked', { short: 'y' }),
  refused('allow-http-registry', HOST, 'bool'),
  refused('allow-insecure-registry', HOST, 'bool'),
  refused('certificate', NO_CERTIFICATE),
  refused('certificate-chain', NO_CERTIFICATE),
  refused('fulcio-url', NO_CERTIFICATE),
  refused('identity-token', NO_CERTIFICATE),
  refused('oidc-issuer', NO_CERTIFICATE),
  refused('record-creation-timestamp', 'signatures have no time of their own', 'bool'),
  refused('recursive', 'the signature of an index covers what the index lists', 'bool', 'r'),
  refused('registry-password', 'use a3s-box login'),
  refused('registry-username', 'use a3s-box login'),
  refused('rekor-url', NO_LOG),
  refused('sk', 'security keys are not supported', 'bool'),
  refused('timestamp-server-url', 'signatures have no time of their own'),
];

/** @throws UsageError where a log is asked for */
export function checkSigningFlags(flags: FlagValues): void {
  if (flags.bool('tlog-upload')) throw flags.invalid('tlog-upload', 'true', NO_LOG);
}
