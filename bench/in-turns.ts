/**
 * Measures contestants alternately and repeatedly, so that a busy minute affects all of them.
 *
 * @module
 */
import type { Asked } from './benchmark.ts';

/**
 * As many figures of each as are asked for. The first turn of each fills caches and does not count.
 */
export async function inTurns<Name extends string, Figure = number>(
  { samples, signal }: Asked,
  contestants: Readonly<Record<Name, () => Promise<Figure>>>,
): Promise<Record<Name, Figure[]>> {
  const turns = Object.entries<() => Promise<Figure>>(contestants).map(([name, measure]) => ({
    ...{ name, measure },
    figures: [] as Figure[],
  }));
  for (let sample = 0; sample <= samples; sample += 1) {
    for (const { measure, figures } of turns) {
      signal.throwIfAborted();
      const figure = await measure();
      if (sample > 0) figures.push(figure);
    }
  }
  return Object.fromEntries(turns.map(({ name, figures }) => [name, figures])) as Record<
    Name,
    Figure[]
  >;
}
