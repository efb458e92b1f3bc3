/**
 * The files of the program in its directory.
 *
 * @module
 */
import * as z from 'zod';
import { Egress, type Refusal } from '../egress.ts';

export const SETTINGS_FILE = 'settings.json';
export const REFUSALS_FILE = 'refusals.json';
/** Its standard error. */
export const FAILURES_FILE = 'failures.log';

export const Settings = z.strictObject({
  egress: Egress,
  /** The namespace's own address. */
  inside: z.string(),
});
export type Settings = z.infer<typeof Settings>;

/** Refusals that the list has at a time. */
export const MAX_REFUSALS = 64;

/** What was refused lately, as the server reads it. */
export interface RefusalFile {
  /** Another one for each start of the program. */
  readonly since: number;
  readonly refusals: readonly (Refusal & { readonly number: number })[];
}
