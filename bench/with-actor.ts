/**
 * An installation and a home for one benchmark, both removed afterwards.
 *
 * @module
 */
import { Actor } from '../test/e2e/actor.ts';
import { install } from '../test/e2e/installation.ts';

export interface Place {
  readonly actor: Actor;
  /** `docker load`'s kind of archive, with the image that boxes run. */
  readonly archive: string;
  /** The installation. */
  readonly root: string;
}

/**
 * Starts a server that has the image loaded.
 *
 * @param env for the server, beside what an actor has
 */
export async function withActor<T>(
  use: (place: Place) => Promise<T>,
  env: Readonly<Record<string, string>> = {},
): Promise<T> {
  const installation = await install();
  try {
    const actor = new Actor('root', installation);
    try {
      await actor.ok(['ps'], { env });
      await actor.load('busybox');
      const { root, archives } = installation;
      return await use({ actor, root, archive: archives.busybox });
    } finally {
      await actor.leave();
    }
  } finally {
    installation.remove();
  }
}
