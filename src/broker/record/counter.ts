/**
 * Counters of sealed volumes: the generation that a volume has at least.
 *
 * @module
 */
import * as z from 'zod';
import { A3sError, type ErrorCode } from '../../errors.ts';
import { narrow } from '../../narrow.ts';

const volume = z.string().regex(/^[0-9a-f]{32}$/, 'expected 32 hexadecimal digits');
const generation = z.int().min(1);

const counter = z.strictObject({ volume, generation });
const counterStep = z.strictObject({ volume, from: z.int().min(0), to: generation });

export type Counter = z.infer<typeof counter>;

/** From one generation to the next; from 0 where there is no counter yet. */
export type CounterStep = z.infer<typeof counterStep>;

/** @throws A3sError `invalid-argument` */
export function parseCounter(input: unknown): Counter {
  return parsed(counter, input, 'invalid-argument');
}

/** @throws A3sError `kbs-request` */
export function parseCounterStep(input: unknown): CounterStep {
  return parsed(counterStep, input, 'kbs-request');
}

function parsed<Schema extends z.ZodType>(
  schema: Schema,
  input: unknown,
  code: ErrorCode,
): z.output<Schema> {
  const { data, error, success } = narrow(schema, input);
  if (success) return data as z.output<Schema>;
  const [issue] = error.issues;
  throw new A3sError(code, `Cannot use the counter: ${issue?.path.join('.')} ${issue?.message}`);
}
