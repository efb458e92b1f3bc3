/**
 * The trust options of a call: a policy for this call, and whether signatures are fetched again.
 *
 * @module
 */
import * as z from 'zod';
import type { TrustOptions } from '../../../boxes/policy/authorize-image.ts';
import { flag } from '../query.ts';
import { registryAuth } from './registry-auth.ts';

/** Id of a policy that a client handed over; absent or empty: none. */
export const imagePolicy = z
  .string()
  .max(128)
  .optional()
  .transform((id) => (id === '' ? undefined : id));

export const trustQuery = { imagePolicy, refreshSignatures: flag };

/**
 * @param keep whether fetched signatures replace those that are stored
 * @throws A3sError `invalid-argument` for credentials that cannot be read
 */
export function trustOptions(
  query: { readonly imagePolicy: string | undefined; readonly refreshSignatures: boolean },
  headers: Headers,
  keep = true,
): TrustOptions {
  return {
    policyId: query.imagePolicy,
    refresh: query.refreshSignatures ? { credentials: registryAuth(headers), keep } : undefined,
  };
}
