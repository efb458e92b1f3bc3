/**
 * The files of the program in its directory.
 *
 * @module
 */
import * as z from 'zod';
import { Egress, type Refusal } from '../egress.ts';
import { KeptSecrets } from '../secrets.ts';

export const SETTINGS_FILE = 'settings.json';
export const REFUSALS_FILE = 'refusals.json';
/** Its standard error. */
export const FAILURES_FILE = 'failures.log';

/** Every user can read them. */
export const Settings = z.strictObject({
  egress: Egress.omit({ secretsFile: true }),
  /** The namespace's own address. */
  inside: z.string(),
  /** That of IPv6. Absent: the box has none. */
  inside6: z.string().optional(),
  /** Its standard input has `SecretSettings`. */
  hasSecrets: z.boolean(),
});
export type Settings = z.infer<typeof Settings>;

/** What the program gets by its standard input alone. */
export const SecretSettings = KeptSecrets.extend({
  /** The authorities that hosts are verified by, in PEM. */
  roots: z.array(z.string()).min(1),
});
export type SecretSettings = z.infer<typeof SecretSettings>;

/** Refusals that the list has at a time. */
export const MAX_REFUSALS = 64;

/** What was refused lately, as the server reads it. */
export interface RefusalFile {
  /** Another one for each start of the program. */
  readonly since: number;
  readonly refusals: readonly (Refusal & { readonly number: number })[];
}
