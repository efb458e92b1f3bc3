/**
 * The secret broker of a confidential box, in the documents of the API.
 *
 * @module
 */
import { BrokerEndpoint, DEFAULT_BROKER_TENANT } from '@a3s-box/policies';
import * as z from 'zod';

const { host, port, tenant, key } = BrokerEndpoint.shape;

export const BrokerBody = z.strictObject({
  Host: host,
  Port: port,
  Tenant: tenant.default(DEFAULT_BROKER_TENANT),
  /** SHA-256 of the public key of its TLS certificate: no other key is accepted. */
  Key: key,
  /** The workload can have attestation results of it. */
  Tokens: z.boolean().optional(),
});
