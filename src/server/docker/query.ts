/**
 * Query parameters as Docker reads them.
 *
 * @module
 */
import * as z from 'zod';

const FALSE = ['', '0', 'no', 'false', 'none'];

/** False where it is absent, and for the words that Docker takes for false. */
export const flag = z
  .string()
  .max(16)
  .default('')
  .transform((text) => !FALSE.includes(text.trim().toLowerCase()));

/** The same, but true where it is absent or empty. */
export const flagByDefault = z
  .string()
  .max(16)
  .default('')
  .transform((text) => text === '' || !FALSE.includes(text.trim().toLowerCase()));

/** A whole number; absent or empty: undefined. */
export const optionalInt = z
  .string()
  .regex(/^-?\d{1,10}$|^$/, { error: 'must be a whole number' })
  .optional()
  .transform((text) => (text === undefined || text === '' ? undefined : Number(text)));

/**
 * Seconds since 1970 with up to nine decimals, or RFC 3339; as nanoseconds. Absent, empty or 0:
 * undefined.
 */
export const optionalTime = z
  .string()
  .max(64)
  .optional()
  .transform((text, context) => {
    if (text === undefined || text === '' || text === '0') return undefined;
    const seconds = /^(\d{1,11})(?:\.(\d{1,9}))?$/.exec(text);
    if (seconds !== null) {
      const [, whole = '0', fraction = ''] = seconds;
      return BigInt(whole) * 1_000_000_000n + BigInt(fraction.padEnd(9, '0'));
    }
    const parsed = Date.parse(text);
    if (!Number.isNaN(parsed)) return BigInt(parsed) * 1_000_000n;
    context.addIssue({ code: 'custom', message: 'must be seconds since 1970 or RFC 3339' });
    return z.NEVER;
  });

/** Unknown parameters are ignored, as in Docker: clients send parameters of other versions. */
export function query<Shape extends z.ZodRawShape>(shape: Shape): z.ZodObject<Shape> {
  return z.object(shape);
}

/** For routes without a body; some clients send an empty document. */
export const noBody = z.unknown();

/** The size of a terminal, as `h` and `w`. */
export const sizeQuery = query({
  h: z.coerce.number().int().min(1).max(65_535),
  w: z.coerce.number().int().min(1).max(65_535),
});
