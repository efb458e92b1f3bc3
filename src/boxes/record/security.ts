/**
 * What the processes of a box may do, as it was asked for. `confinementOf` makes the confinement of
 * it.
 *
 * @module
 */
import * as z from 'zod';

/**
 * Names and values are those of the request, for `inspect`. Records from before a field have its
 * default.
 */
export const Security = z.strictObject({
  capAdd: z.array(z.string()).default([]),
  capDrop: z.array(z.string()).default([]),
  /**
   * Docker's options, such as `no-new-privileges`; a profile of system calls is here as its text.
   */
  securityOpt: z.array(z.string()).default([]),
  groupAdd: z.array(z.string()).default([]),
  /** Absent: Docker's own. */
  maskedPaths: z.array(z.string()).optional(),
  readonlyPaths: z.array(z.string()).optional(),
  oomScoreAdj: z.int().default(0),
  sysctls: z.record(z.string(), z.string()).default({}),
  domainname: z.string().default(''),
  /** Notes of the client's, for `inspect`. */
  annotations: z.record(z.string(), z.string()).default({}),
  /** Namespaces. Every value of these is a word for a namespace of the box's own. */
  ipcMode: z.enum(['private', 'shareable', 'none']).default('private'),
  usernsMode: z.enum(['', 'private']).default(''),
  /** A word of Windows, of which Linux has one value. */
  isolation: z.enum(['', 'default']).default(''),
  /** As it was given, for `inspect`: both mean the one runtime that there is. */
  runtime: z.enum(['a3s-box', 'runc']).default('a3s-box'),
  privileged: z.boolean().default(false),
  /** Docker's rules, which `confinementOf` reads. */
  deviceRules: z.array(z.string()).default([]),
  /** Devices of the guest. */
  devices: z.array(z.strictObject({ path: z.string(), permissions: z.string() })).default([]),
});
export type Security = z.output<typeof Security>;

/** A box that asked for nothing. */
export const NO_SECURITY: Security = Security.parse({});
