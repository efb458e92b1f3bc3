/**
 * The secret broker that a confidential box fetches secrets from, and their paths there.
 *
 * @module
 */
import * as z from 'zod';

/** The tenant of guests that name none. */
export const DEFAULT_BROKER_TENANT = 'default';

export const BrokerEndpoint = z.strictObject({
  /**
   * A name in lower case or an address. It is the untrusted host that connects: the key alone
   * decides who the broker is.
   */
  host: z.string().regex(/^([a-z0-9][a-z0-9.-]{0,252}|(?=.*:)[0-9a-f:]{1,45})$/),
  port: z.int().min(1).max(65_535),
  tenant: z.string().regex(/^[a-z0-9][a-z0-9-]{0,62}$/),
  /** SHA-256 of the SubjectPublicKeyInfo of the broker's TLS certificate. */
  key: z.string().regex(/^[0-9a-f]{64}$/),
  /**
   * The workload can have attestation results of the broker. Absent is false. Since revision 6.
   */
  tokens: z.literal(true).optional(),
});
/** The broker that the agent fetches secrets from, and that counts sealed volumes. */
export type BrokerEndpoint = z.infer<typeof BrokerEndpoint>;

/** `repository/type/tag`; no part is `.` or `..`. */
export const brokerResource = z
  .string()
  .regex(/^[A-Za-z0-9_-][A-Za-z0-9._-]{0,127}(\/[A-Za-z0-9_-][A-Za-z0-9._-]{0,127}){2}$/);
