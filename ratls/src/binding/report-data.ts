/**
 * REPORT_DATA binds a report to one purpose, one key, one nonce, one session and one box.
 *
 * @module
 */
import { createHash } from 'node:crypto';
import { lengthPrefixed } from './length-prefixed.ts';

const DOMAIN = 'a3s-box/report-data/v1';

/**
 * The purposes of a report. The agent in the guest requests those of a session, and a workload gets
 * the other.
 */
export const PURPOSES = { session: 'ra-tls-session', workload: 'workload' } as const;
export type Purpose = (typeof PURPOSES)[keyof typeof PURPOSES];

/** Whose report it is. No client shows evidence yet. */
export const ROLES = { server: 'server', client: 'client', workload: 'workload' } as const;
export type Role = (typeof ROLES)[keyof typeof ROLES];

/**
 * Bytes of a nonce, of an instance's name, of a spec's digest, and of a session's exported value.
 */
export const NONCE_SIZE = { least: 32, most: 64 } as const;
export const INSTANCE_SIZE = 16;
export const SPEC_DIGEST_SIZE = 32;
export const EXPORTER_SIZE = 32;
export const REPORT_DATA_SIZE = 64;

/** The exporter of a session that is to be attested; its context is the nonce. */
export const ATTEST_EXPORTER = 'EXPORTER-a3s-box-attest-v1';

/** All that REPORT_DATA covers. */
export interface Binding {
  readonly purpose: Purpose;
  /** SubjectPublicKeyInfo of the key that the session was opened with; empty for a workload. */
  readonly spki: Uint8Array;
  /** 32 to 64 bytes; of a workload the 64 that it asks with. */
  readonly nonce: Uint8Array;
  /** 32 bytes, from the session; empty for a workload. */
  readonly exporter: Uint8Array;
  readonly role: Role;
  /** 16 random bytes that the guest draws at its start. */
  readonly instance: Uint8Array;
  /** SHA-256 of the launch spec. */
  readonly specDigest: Uint8Array;
}

/** The 64 bytes that a report must carry. The caller has checked the sizes. */
export function reportDataOf(binding: Binding): Uint8Array {
  const { purpose, spki, nonce, exporter, role, instance, specDigest } = binding;
  const items = [DOMAIN, purpose, spki, nonce, exporter, role, instance, specDigest];
  return createHash('sha512').update(lengthPrefixed(items)).digest();
}

/**
 * The 64 bytes of REPORT_DATA for the 64 bytes of a workload's request.
 *
 * @throws {RangeError} for data of any other size
 */
export function workloadReportData(
  data: Uint8Array,
  { instance, specDigest }: Pick<Binding, 'instance' | 'specDigest'>,
): Uint8Array {
  if (data.length !== REPORT_DATA_SIZE) {
    throw new RangeError(`Cannot bind a report: ${data.length} bytes, not ${REPORT_DATA_SIZE}`);
  }
  const none = new Uint8Array();
  const [purpose, role] = [PURPOSES.workload, ROLES.workload];
  const own = { purpose, spki: none, nonce: data, exporter: none, role };
  return reportDataOf({ ...own, instance, specDigest });
}
