/**
 * `fetch` for one box: over as few sessions as it takes, each verified before its first request.
 *
 * @module
 */
import { connect } from './connect.ts';
import type { FetchInit } from './fetch.ts';
import type { ConnectOptions } from './options.ts';
import type { RatlsSession } from './session.ts';

/** How old a session may be before it is made, and verified, anew; an hour where it is not given. */
const DEFAULT_MAX_AGE = 60 * 60 * 1000;

/** Where the box is, which a stream cannot say twice. */
export type FetchOptions = Extract<ConnectOptions, { readonly host: string }> & {
  /** Milliseconds. */
  readonly maxAge?: number | undefined;
};

export interface RatlsFetch {
  /** @throws {RatlsError} as `connect` and the session's `fetch` */
  (path: string, init?: FetchInit): Promise<Response>;
  /** Ends the session. */
  close(): void;
}

interface Kept {
  readonly session: Promise<RatlsSession>;
  readonly until: number;
}

/** A `fetch` whose every connection is verified in the same way. */
export function ratlsFetch(options: FetchOptions): RatlsFetch {
  const { maxAge = DEFAULT_MAX_AGE } = options;
  let kept: Kept | undefined;
  const start = (): Promise<RatlsSession> => {
    kept?.session.then((session) => session.finish()).catch(() => {});
    const own: Kept = { session: connect(options), until: performance.now() + maxAge };
    kept = own;
    own.session.catch(() => {
      if (kept === own) kept = undefined;
    });
    return own.session;
  };
  const current = async (): Promise<RatlsSession> => {
    const held = kept;
    if (held === undefined || performance.now() >= held.until) return start();
    const session = await held.session;
    if (!session.ended) return session;
    // Of several that find it ended, the first makes the next.
    return kept === held ? start() : current();
  };
  const ask = async (path: string, init?: FetchInit) => (await current()).fetch(path, init);
  return Object.assign(ask, {
    close() {
      kept?.session.then((session) => session.close()).catch(() => {});
      kept = undefined;
    },
  });
}
