/**
 * One attempt at one request: no redirect, no second try, every wait bounded.
 *
 * @module
 */
import { Readable } from 'node:stream';
import type { Dispatcher } from 'undici';
import { A3sError } from '../../errors.ts';
import { shown } from '../hosts/addresses.ts';
import { LocalAddress, RefusedAddress } from './address-guard.ts';
import type { Dispatchers } from './dispatchers.ts';
import type { HttpRequest, HttpResponse, Send } from './message.ts';
import type { TransportLimits } from './transport-limits.ts';
import { Unreached } from './unreached.ts';
import { watchBody } from './watch-body.ts';

/**
 * Sends each request once.
 *
 * @throws Unreached; A3sError `registry-failed` for an address of this host; the reason of the
 * request's signal once it is aborted
 */
export function wire(dispatchers: Dispatchers, limits: TransportLimits): Send {
  return async (request) => {
    request.signal?.throwIfAborted();
    const late = new AbortController();
    const clock = new HeadClock(late, limits);
    const { signal, url, trust, registry, addresses } = request;
    const body = bodyOf(request, clock);
    try {
      const dispatcher = await dispatchers.for(url, trust, registry, addresses);
      const answer = await dispatcher.request({
        origin: url.origin,
        path: url.pathname + url.search,
        method: request.method,
        headers: { 'user-agent': 'a3s-box', ...request.headers },
        signal: signal === undefined ? late.signal : AbortSignal.any([signal, late.signal]),
        ...(body === undefined ? {} : { body }),
      });
      return responseOf(answer, request);
    } catch (error) {
      signal?.throwIfAborted();
      if (error instanceof LocalAddress) throw refused(request, error);
      if (error instanceof RefusedAddress) {
        throw new A3sError('registry-failed', `Cannot reach ${shown(url)}: ${error.message}`);
      }
      throw new Unreached(url.host, late.signal.aborted ? late.signal.reason : error);
    } finally {
      clock.stop();
    }
  };
}

/**
 * Ends the wait for the head of an answer after a time, however many bytes of it have come.
 *
 * While a body is being sent, the dispatcher's timeout for silence applies.
 */
class HeadClock {
  readonly #late: AbortController;
  readonly #limits: TransportLimits;
  #timer: NodeJS.Timeout | undefined;
  #stopped = false;

  constructor(late: AbortController, limits: TransportLimits) {
    this.#late = late;
    this.#limits = limits;
    this.start();
  }

  start(): void {
    if (this.#stopped) return;
    this.hold();
    const { connectMs, headersMs } = this.#limits;
    this.#timer = setTimeout(() => this.#late.abort(new TookTooLong()), connectMs + headersMs);
  }

  hold(): void {
    clearTimeout(this.#timer);
  }

  stop(): void {
    this.#stopped = true;
    this.hold();
  }
}

class TookTooLong extends Error {
  readonly code = 'UND_ERR_HEADERS_TIMEOUT';
}

function bodyOf({ body }: HttpRequest, clock: HeadClock): Buffer | Readable | undefined {
  if (typeof body !== 'function') return body;
  const chunks = body();
  return Readable.from(
    (async function* () {
      clock.hold();
      try {
        yield* chunks;
      } finally {
        clock.start();
      }
    })(),
  );
}

function refused({ url, registry }: HttpRequest, { address }: LocalAddress): A3sError {
  const base = new URL(registry);
  const moved = url.origin === base.origin;
  return new A3sError(
    'registry-failed',
    moved
      ? `Cannot reach ${base.host}: its name leads to ${address} of this host now, and led elsewhere before`
      : `Cannot use the answer of ${base.host}: it leads to ${shown(url)}, which is ${address} of this host`,
    {
      remedy: moved
        ? 'If the registry was moved to this host, start the control server anew.'
        : "Ask the registry's operator; nothing was sent there.",
    },
  );
}

function responseOf(answer: Dispatcher.ResponseData, request: HttpRequest): HttpResponse {
  const headers: Record<string, string> = Object.create(null);
  for (const [name, value] of Object.entries(answer.headers)) {
    if (value === undefined) continue;
    headers[name.toLowerCase()] = Array.isArray(value) ? value.join(', ') : value;
  }
  // Without this handler, an error between two reads would be unhandled. The next read still throws
  // it.
  answer.body.on('error', () => undefined);
  return {
    status: answer.statusCode,
    headers,
    url: request.url,
    body: readBody(answer.body, request),
  };
}

/** Returning it, started or not, ends the exchange. */
function readBody(
  body: Readable,
  { url, signal }: HttpRequest,
): AsyncIterableIterator<Uint8Array, undefined> {
  return watchBody(body, {
    onFailure: (error) =>
      signal?.aborted === true ? signal.reason : new Unreached(url.host, error),
    onReturn: () => body.destroy(),
  });
}
