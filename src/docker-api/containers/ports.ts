/**
 * Ports of the create document.
 *
 * @module
 */
import * as z from 'zod';
import type { Document } from '../document.ts';

/** `ratls` is the port at which a confidential box serves RA-TLS. */
export const port = z.string().regex(/^(\d{1,5}(-\d{1,5})?(\/(tcp|udp|sctp))?|ratls(\/tcp)?)$/, {
  error: 'must be PORT/PROTOCOL',
});

export const PortBindings = z.record(
  port,
  z
    .array(
      z.strictObject({
        HostIp: z.string().max(64).default(''),
        HostPort: z.string().max(16).default(''),
      }),
    )
    .max(64)
    .nullable(),
);

export type PortBindings = Document<typeof PortBindings>;
