/**
 * A socket for each builder that clients name: what they build on it is built in that builder, and
 * everything else is as on the server's own socket. So every client of Docker's can name a builder,
 * by its `DOCKER_HOST`.
 *
 * @module
 */
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import type { Builds } from '../build/builds.ts';
import { A3sError } from '../errors.ts';

/** More than there may be builders, since one that was removed may keep its socket. */
const MAX_SOCKETS = 32;

interface Served {
  readonly path: string;
  close(): Promise<void>;
}

/** Serves the routes of the server on a socket, with these builds. */
export type Serve = (builds: Builds, path: string) => Promise<{ close(): Promise<void> }>;

export class BuilderSockets {
  readonly #directory: string;
  readonly #builds: Builds;
  readonly #served = new Map<string, Promise<Served>>();
  #serve: Serve | undefined;

  /** @param directory of sockets, which is emptied when the server ends */
  constructor(directory: string, builds: Builds) {
    this.#directory = directory;
    this.#builds = builds;
  }

  begin(serve: Serve): void {
    this.#serve = serve;
  }

  /**
   * The path of a builder's socket. Opens it where it is not open.
   *
   * @param name a valid one
   * @throws A3sError `conflict` for too many of them
   */
  async open(name: string): Promise<string> {
    const known = this.#served.get(name);
    if (known !== undefined) return (await known).path;
    if (this.#serve === undefined) throw new TypeError('the server does not serve');
    if (this.#served.size >= MAX_SOCKETS) {
      throw new A3sError(
        'conflict',
        `Cannot open a socket for another builder than ${MAX_SOCKETS}`,
        {
          remedy:
            'Build with one that has a socket, or end the server: the next command starts it.',
        },
      );
    }
    // A path is short, and names may be long.
    const file = createHash('sha256').update(name).digest('hex').slice(0, 16);
    const path = join(this.#directory, `builder-${file}.sock`);
    const opened = this.#serve(this.#builds.in(name), path).then((server) => ({
      path,
      close: () => server.close(),
    }));
    this.#served.set(name, opened);
    opened.catch(() => this.#served.delete(name));
    return (await opened).path;
  }

  async close(): Promise<void> {
    this.#serve = undefined;
    const opened = await Promise.allSettled(this.#served.values());
    await Promise.all(
      opened.map((each) => (each.status === 'fulfilled' ? each.value.close() : undefined)),
    );
  }
}
