/**
 * Closes what was opened, the last one first, each after the one before it has ended. One that
 * fails keeps no other from closing.
 *
 * @throws what the one that failed threw, or an AggregateError where several failed
 * @module
 */
export async function closeAll(closers: readonly (() => Promise<unknown>)[]): Promise<void> {
  const errors: unknown[] = [];
  for (const close of closers.toReversed()) {
    try {
      await close();
    } catch (error) {
      errors.push(error);
    }
  }
  if (errors.length > 1) throw new AggregateError(errors, `${errors.length} parts failed to close`);
  if (errors.length > 0) throw errors[0];
}
