/**
 * Evidence that verifies, appraised under policies that accept it or reject it.
 *
 * @module
 */

import { type EvidenceVector, NOW } from '../format.ts';
import { evidenceOf, processor, REPORT_DATA } from '../processor.ts';
import { bad, type Case, NO_CRL, one, POLICY } from './case.ts';
import { FIRMWARE, PLATFORM } from './firmware.ts';
import { GUEST, PROCESSORS } from './guest.ts';
import { ENGINES, identityCases, KNOWN_VULNERABLE } from './identity.ts';
import { BINDING, REVOCATION, SIGNER } from './signer.ts';

const MANY: readonly Case[] = [
  one(
    'everything-at-once',
    [
      'debug',
      'migration-agent',
      'vmpl',
      'cxl',
      'alias-check',
      'tcb-launch',
      'firmware-version',
      'chip-masked',
      'measurement',
      'host-data',
      'report-data',
      'crl-required',
    ],
    'Every check runs, whatever has failed before it.',
    bad(
      'debug',
      'migration-agent',
      'vmpl-1',
      'cxl-allowed',
      'no-alias-check',
      'old-launch-tcb',
      'old-firmware',
      'masked-chip',
      'other-measurement',
      'other-host-data',
      'other-report-data',
    ),
    {},
    NO_CRL,
  ),
  one(
    'nothing-said',
    ['tee', 'measurement', 'host-data', 'report-data'],
    'The policy that says nothing.',
    {},
    { tee: undefined, measurements: undefined, hostData: undefined },
    { reportData: undefined },
  ),
];

export function appraisalVectors(): EvidenceVector[] {
  const crl = processor().crl();
  const cases = [
    PROCESSORS,
    GUEST,
    PLATFORM,
    FIRMWARE,
    SIGNER,
    identityCases(),
    BINDING,
    REVOCATION,
    KNOWN_VULNERABLE,
    ENGINES,
    MANY,
  ].flat();
  return cases.map(({ name, comment, evidence, policy, appraise, over }) => ({
    name,
    comment,
    evidence: evidenceOf(evidence),
    crl,
    crlObtainedAt: NOW,
    policy: { ...POLICY, ...policy },
    reportData: REPORT_DATA,
    ...over,
    expected: { verify: 'accepted', appraise },
  }));
}
