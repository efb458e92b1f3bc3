/**
 * Which steps of a build came out of a cache, of the events that `--progress=rawjson` writes.
 *
 * `--progress=plain` does not always say so: a layer that comes from a registry is fetched when the
 * result is made, which opens its step again. A client that gets both events at once, as on a busy
 * host, writes `DONE` for that step and no `CACHED`. Lines of other steps may come in between, too.
 *
 * @module
 */
import * as z from 'zod';

const Event = z.looseObject({
  vertexes: z.array(z.looseObject({ name: z.string(), cached: z.boolean().optional() })).optional(),
});

/** Has a client write the events to its standard error. */
export const EVENTS = '--progress=rawjson';

/** The commands of the `RUN` instructions that did not run. */
export function cachedSteps(stderr: string): readonly string[] {
  const events = stderr.split(/(?<=^\}\n)/m).map((text) => Event.parse(JSON.parse(text)));
  const vertices = events.flatMap(({ vertexes = [] }) => vertexes);
  const names = vertices.flatMap(({ name, cached }) => (cached === true ? [name] : []));
  return [...new Set(names)].flatMap((name) => /^\[.*\] RUN (.*)$/.exec(name)?.[1] ?? []);
}
