/**
 * The type of a document, by its schema.
 *
 * @module
 */
import type * as z from 'zod';

/** The document that a schema describes, as it is written; nobody changes one that is there. */
export type Document<Schema extends z.ZodType> = Written<z.input<Schema>>;

type Written<T> = T extends object ? { readonly [Key in keyof T]: Written<T[Key]> } : T;
