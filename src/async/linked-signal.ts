/**
 * A signal that follows others until it is released.
 *
 * `AbortSignal.any` cannot be released: a source that lives as long as the server would keep a
 * reference to every request.
 *
 * @module
 */
import { setMaxListeners } from 'node:events';

export interface LinkedSignal {
  readonly signal: AbortSignal;
  /** Stops following. */
  unlink(): void;
}

export function linkedSignal(...sources: readonly AbortSignal[]): LinkedSignal {
  const controller = new AbortController();
  const follow = (event: Event): void => controller.abort((event.target as AbortSignal).reason);
  for (const source of sources) {
    if (source.aborted) controller.abort(source.reason);
    // As many signals may follow the end of the server as there are requests.
    setMaxListeners(0, source);
    source.addEventListener('abort', follow);
  }
  return {
    signal: controller.signal,
    unlink: () => {
      for (const source of sources) source.removeEventListener('abort', follow);
    },
  };
}
