/**
 * The attestation policy that accepts one box, in YAML with a word on what each value means.
 *
 * @module
 */

export interface AcceptedBox {
  readonly tee: 'snp' | 'simulated';
  /** 96 hexadecimal digits. */
  readonly measurement: string;
  /** 64 hexadecimal digits. */
  readonly hostData: string;
  /**
   * The launch digest is on the list of what is known to be vulnerable, and was allowed all the
   * same.
   */
  readonly excepted: boolean;
  readonly privileged: boolean;
}

export function attestationPolicyText({
  tee,
  measurement,
  hostData,
  excepted,
  privileged,
}: AcceptedBox): string {
  return [
    '# Accepts the confidential box that a3s-box measure computed, and no other.',
    ...(tee === 'simulated' ? SIMULATED : HARDWARE),
    '',
    '# Launch digest: firmware, kernel, initrd and command line of the boot set, number and model of the vCPUs.',
    'measurements:',
    `  - ${measurement}`,
    ...(excepted ? ['', ...EXCEPTION, `  - ${measurement}`] : []),
    '',
    '# SHA-256 of the launch spec: image and layers, process, network, what the host may do, whose keys may inject secrets.',
    `hostData: ${hostData}`,
    ...(privileged ? ['', ...PRIVILEGED] : []),
    ...(tee === 'simulated' ? ['', ...UNREVOKED] : []),
    '',
  ].join('\n');
}

const SCHEMA = 'schema: a3s-box/attestation-policy/v1';

const HARDWARE = [
  '# All that is not said here has the strict value: a3s-box policy check shows it.',
  SCHEMA,
  'tee: sev-snp',
];

const SIMULATED = [
  '# SIMULATED: evidence that proves nothing to anybody, for development. Nothing from hardware passes.',
  SCHEMA,
  'tee: simulated',
];

const EXCEPTION = [
  '# KNOWN TO BE VULNERABLE, and accepted all the same: the policy that the box was measured by says so.',
  'allowKnownVulnerable:',
];

const PRIVILEGED = [
  '# PRIVILEGED: the workload has all of the guest, and can have reports over any bytes.',
  'allowPrivileged: true',
];

const UNREVOKED = ['# Nobody revokes simulated keys.', 'crl:', '  required: false'];
