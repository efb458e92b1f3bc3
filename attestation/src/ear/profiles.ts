/**
 * The profiles of EAR (`eat_profile`), and the labels that their claims have.
 *
 * @module
 */

/** A claim of EAR, whatever its label. */
export type EarClaim =
  | 'profile'
  | 'issuedAt'
  | 'expiresAt'
  | 'notBefore'
  | 'nonce'
  | 'submods'
  | 'verifier'
  | 'rawEvidence'
  | 'status'
  | 'vector'
  | 'policyIds'
  | 'key';

export type Labels = Readonly<Record<EarClaim, string | number>>;

interface Profile {
  readonly uri: string;
  /** Names in JSON. */
  readonly names: Labels;
  /** Whether an appraisal names one policy, as text, or a list of them. */
  readonly policies: 'one' | 'list';
  /** Whether the whole result has a status beside those of its submodules. */
  readonly overall: boolean;
}

/** Those of JWT (RFC 7519) and EAT (RFC 9711). */
const REGISTERED = {
  profile: 'eat_profile',
  issuedAt: 'iat',
  expiresAt: 'exp',
  notBefore: 'nbf',
  nonce: 'eat_nonce',
  submods: 'submods',
} as const;

const VERAISON_NAMES: Labels = {
  ...REGISTERED,
  verifier: 'ear.verifier-id',
  rawEvidence: 'ear.raw-evidence',
  status: 'ear.status',
  vector: 'ear.trustworthiness-vector',
  policyIds: 'ear.appraisal-policy-id',
  key: 'ear.veraison.key-attestation',
};

/** Those of draft-ietf-rats-ear from revision 03 on. */
const IETF_NAMES: Labels = {
  ...REGISTERED,
  verifier: 'ear_verifier_id',
  rawEvidence: 'ear_raw_evidence',
  status: 'ear_status',
  vector: 'ear_trustworthiness_vector',
  policyIds: 'ear_appraisal_policy_ids',
  key: 'ear_veraison_key_attestation',
};

/** Every profile that is read and written. */
export const PROFILES = {
  veraison: {
    uri: 'tag:github.com,2023:veraison/ear',
    names: VERAISON_NAMES,
    policies: 'one',
    overall: false,
  },
  trustee: {
    uri: 'tag:github.com,2024:confidential-containers/Trustee',
    names: VERAISON_NAMES,
    policies: 'one',
    overall: false,
  },
  'ietf-03': {
    uri: 'tag:ietf.org,2026:rats/ear#03',
    names: IETF_NAMES,
    policies: 'list',
    overall: true,
  },
} as const satisfies Readonly<Record<string, Profile>>;

export type EarProfile = keyof typeof PROFILES;

export const EAR_PROFILES = Object.keys(PROFILES) as readonly EarProfile[];

/**
 * Labels in CBOR, the same in all profiles: RFC 8392, RFC 9711, and those that the draft suggests.
 */
export const CBOR_LABELS: Labels = {
  profile: 265,
  issuedAt: 6,
  expiresAt: 4,
  notBefore: 5,
  nonce: 10,
  submods: 266,
  verifier: 1004,
  rawEvidence: 1002,
  status: 1000,
  vector: 1001,
  policyIds: 1003,
  key: -70002,
};

export function profileOf(name: EarProfile): Profile {
  return PROFILES[name];
}
