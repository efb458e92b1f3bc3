/**
 * How names are resolved in a box: its resolver, and more lines of `/etc/hosts`.
 *
 * @module
 */
import * as z from 'zod';

export const Names = z.strictObject({
  /** Addresses of DNS servers. Empty: the network's own. */
  servers: z.array(z.string()).default([]),
  /** Of the resolver, such as `ndots:2`. */
  options: z.array(z.string()).default([]),
  /** Domains, as they were given: `.` alone asks for none. */
  search: z.array(z.string()).default([]),
  /** `name:address`, or `name:host-gateway`. */
  hosts: z.array(z.string()).default([]),
});
/** What was asked for. Old records have none of it. */
export type Names = z.infer<typeof Names>;

export const NO_NAMES: Names = { servers: [], options: [], search: [], hosts: [] };
