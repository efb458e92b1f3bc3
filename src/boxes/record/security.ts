/**
 * What the processes of a box may do, as it was asked for. `confinementOf` makes the confinement of it.
 *
 * @module
 */
import * as z from 'zod';

/** Names and values are those of the request, for `inspect`. Records from before a field have its default. */
export const Security = z.strictObject({
  capAdd: z.array(z.string()).default([]),
  capDrop: z.array(z.string()).default([]),
});
export type Security = z.output<typeof Security>;

/** A box that asked for nothing. */
export const NO_SECURITY: Security = Security.parse({});
