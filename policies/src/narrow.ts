/**
 * Narrowing a document from outside.
 *
 * @module
 */
import * as z from 'zod';

/** The document, or why it is none. */
export type Narrowed<Document> =
  | { readonly success: true; readonly data: Document; readonly error?: undefined }
  | { readonly success: false; readonly data?: undefined; readonly error: z.ZodError };

/**
 * What a schema makes of a value, and never an exception.
 *
 * zod compares lengths before it has looked at the kind: of `{"length":{"toString":false}}` that
 * ends in a TypeError. A document that does so fits no schema.
 */
export function narrow<Schema extends z.ZodType>(
  schema: Schema,
  value: unknown,
): Narrowed<z.output<Schema>> {
  try {
    return schema.safeParse(value);
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
    const issue: z.core.$ZodIssue = {
      code: 'custom',
      path: [],
      message: 'Invalid input',
      input: value,
    };
    return { success: false, error: new z.ZodError([issue]) };
  }
}
