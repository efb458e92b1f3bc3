/**
 * `fetch` for one box, over as few sessions as possible, each verified before its first request.
 *
 * @module
 */
import { connect } from './connect.ts';
import type { FetchInit } from './fetch.ts';
import type { ConnectOptions } from './options.ts';
import type { RatlsSession } from './session.ts';

/** The options with the box's address; a stream would work only once. */
export type FetchOptions = Extract<ConnectOptions, { readonly host: string }>;

export interface RatlsFetch {
  /** @throws {RatlsError} as `connect` and the session's `fetch` */
  (path: string, init?: FetchInit): Promise<Response>;
  /** Ends the session; a later request opens a new one. */
  close(): void;
}

/** A `fetch` whose every connection is verified in the same way. */
export function ratlsFetch(options: FetchOptions): RatlsFetch {
  let kept: Promise<RatlsSession> | undefined;
  const start = (): Promise<RatlsSession> => {
    const own = connect(options);
    kept = own;
    own.catch(() => {
      if (kept === own) kept = undefined;
    });
    return own;
  };
  const current = async (): Promise<RatlsSession> => {
    const held = kept;
    if (held === undefined) return start();
    const session = await held;
    if (!session.ended) return session;
    // Of several requests that find the session ended, the first opens the next.
    return kept === held ? start() : current();
  };
  const ask = async (path: string, init?: FetchInit) => (await current()).fetch(path, init);
  return Object.assign(ask, {
    close() {
      kept?.then((session) => session.close()).catch(() => {});
      kept = undefined;
    },
  });
}
