/**
 * The document that changes a box, and the answer.
 *
 * @module
 */
import * as z from 'zod';
import type { Document } from '../document.ts';
import { LIMIT_FIELDS } from './limits.ts';
import { RestartPolicy } from './restart-policy.ts';

const { Ulimits: _, ...FIELDS } = LIMIT_FIELDS;
/** What is taken. Docker's other fields may be there with the value that asks for nothing. */
export const Update = z.strictObject({ ...FIELDS, RestartPolicy: RestartPolicy.optional() });
export type Update = Partial<Document<typeof Update>>;

export const Updated = z.strictObject({ Warnings: z.array(z.string()) });
export type Updated = Document<typeof Updated>;
