/**
 * KBS protocol 0.4 over HTTP, for the default tenant and, below `/tenants/NAME`, for each.
 *
 * @module
 */
import type { RequestListener } from 'node:http';
import { clientOf } from '@a3s-box/ratls';
import { getRequestListener, type HttpBindings } from '@hono/node-server';
import { type Context, Hono } from 'hono';
import { A3sError, ERRORS } from '../../errors.ts';
import { readJsonBody } from '../http/body.ts';
import type { Metrics } from '../http/metrics.ts';
import type { RateLimiter } from '../http/rate-limit.ts';
import { DEFAULT_TENANT } from '../record/resource-path.ts';
import type { Caller, Guests } from './guests.ts';
import { Tokens } from './token.ts';

const COOKIE = 'kbs-session-id';
const MAX_AUTH = 16 * 1024;
/** A report and three certificates, each byte as a number with a comma, and init-data. */
const MAX_ATTEST = 256 * 1024;
const MAX_COUNTER = 1024;
const MAX_RESULT = 1024;
const RETRY_SECONDS = '1';
const PATH = ':repository/:type/:tag';

export interface KbsOptions {
  readonly guests: Guests;
  readonly limiter: RateLimiter;
  readonly metrics: Metrics;
  readonly isTenant: (name: string) => boolean;
  /** Whether cookies are for TLS alone. */
  readonly secure: boolean;
  readonly sessionMs: number;
  readonly now: () => Date;
  readonly onError: (error: unknown) => void;
}

/** What of a connection is used. */
type Env = {
  Bindings: { incoming: { socket: Pick<HttpBindings['incoming']['socket'], 'remoteAddress'> } };
};
type KbsRequest = Context<Env>;

export function kbsListener(options: KbsOptions): RequestListener {
  const app = kbsApp(options);
  const listener = getRequestListener(app.fetch, { overrideGlobalObjects: false });
  return (incoming, outgoing) => {
    // Before anything is read or allocated: this is what a flood costs.
    if (isTooOften(incoming.socket.remoteAddress, options)) {
      outgoing.writeHead(429, TOO_OFTEN);
      outgoing.end(bodyOf('kbs-too-often'));
      return;
    }
    void listener(incoming, outgoing);
  };
}

/** The same, where another server than Node's has the connection. */
export function kbsFetch(
  options: KbsOptions,
): (request: Request, remoteAddress: string | undefined) => Promise<Response> {
  const app = kbsApp(options);
  return async (request, remoteAddress) => {
    if (isTooOften(remoteAddress, options)) {
      return new Response(bodyOf('kbs-too-often'), { status: 429, headers: TOO_OFTEN });
    }
    return app.fetch(request, { incoming: { socket: { remoteAddress } } });
  };
}

function isTooOften(address: string | undefined, { limiter, metrics }: KbsOptions): boolean {
  if (limiter.take(clientOf(address))) return false;
  metrics.count('a3s_broker_rate_limited_total');
  return true;
}

const TOO_OFTEN = { 'content-type': 'application/json', 'retry-after': RETRY_SECONDS };

function kbsApp(options: KbsOptions): Hono<Env> {
  const { guests, metrics, onError } = options;
  const tokens = new Tokens();
  const app = new Hono<Env>();

  const route = (name: string, handle: (c: KbsRequest, caller: Caller) => Promise<Response>) => {
    return async (c: KbsRequest): Promise<Response> => {
      let code = 'ok';
      try {
        return await handle(c, callerOf(c, options));
      } catch (error) {
        code = error instanceof A3sError ? error.code : 'internal';
        if (isFailure(error)) onError(error);
        return refused(c, error, name);
      } finally {
        metrics.count('a3s_broker_answers_total', { request: name, code });
      }
    };
  };

  const auth = route('auth', async (c, caller) => {
    const body = await readJsonBody(c.req.raw, MAX_AUTH);
    const { id, nonce, algorithm } = await guests.challenge(caller, body);
    setCookie(c, id, options);
    return c.json({ nonce, 'extra-params': { 'selected-hash-algorithm': algorithm } });
  });
  const attest = route('attest', async (c, caller) => {
    const body = await readJsonBody(c.req.raw, MAX_ATTEST);
    const session = await guests.attest(caller, cookieOf(c) ?? '', body);
    setCookie(c, session, options);
    return c.json({ token: tokens.issue(session, options.now(), options.sessionMs) });
  });
  const resource = route('resource', async (c, caller) =>
    c.json(await guests.resource(caller, sessionOf(c), pathOf(c))),
  );
  const counter = route('counter', async (c, caller) =>
    c.json(await guests.counter(caller, sessionOf(c), pathOf(c))),
  );
  const advance = route('advance', async (c, caller) => {
    const body = await readJsonBody(c.req.raw, MAX_COUNTER);
    return c.json(await guests.advance(caller, sessionOf(c), pathOf(c), body));
  });

  const result = route('result', async (c, caller) => {
    const body = await readJsonBody(c.req.raw, MAX_RESULT);
    return c.json({ token: await guests.result(caller, sessionOf(c), body) });
  });
  const end = route('end', async (c, caller) => {
    await guests.end(caller, sessionOf(c));
    return c.body(null, 204);
  });
  for (const base of ['/kbs/v0', '/tenants/:tenant/kbs/v0']) {
    app.post(`${base}/auth`, auth);
    app.post(`${base}/attest`, attest);
    app.get(`${base}/resource/${PATH}`, resource);
    app.get(`${base}/counter/${PATH}`, counter);
    app.post(`${base}/counter/${PATH}`, advance);
    app.post(`${base}/result`, result);
    app.delete(`${base}/session`, end);
  }
  app.notFound((c) => c.body(bodyOf('no-such-route'), 404, JSON_TYPE));
  return app;
}

const JSON_TYPE = { 'content-type': 'application/json' };

/** @throws A3sError `kbs-session` for a tenant that does not exist: as for one without a session */
function callerOf(c: KbsRequest, { isTenant }: KbsOptions): Caller {
  const tenant = c.req.param('tenant') ?? DEFAULT_TENANT;
  if (!isTenant(tenant)) throw new A3sError('kbs-session', 'no such tenant');
  return { tenant, client: clientOf(c.env.incoming.socket.remoteAddress) };
}

/** Whether it is the broker's own: a flood of refusals would fill the log of the operator. */
function isFailure(error: unknown): boolean {
  if (!(error instanceof A3sError)) return true;
  const { status, unlogged } = ERRORS[error.code];
  return status >= 500 && unlogged !== true;
}

/** Trustee's ErrorInformation. */
function bodyOf(code: string): string {
  return JSON.stringify({ type: `urn:a3s-box:error:${code}`, detail: code });
}

/** Requests that begin a session. Trustee's protocol has 401 for all that is wrong with them. */
const BEGINNINGS: readonly string[] = ['auth', 'attest'];

function refused(c: KbsRequest, error: unknown, request: string): Response {
  const code = error instanceof A3sError ? error.code : 'internal';
  const malformed = code === 'kbs-request' && BEGINNINGS.includes(request);
  const status = malformed ? 401 : ERRORS[code].status;
  // What failed inside is nothing for a guest.
  const body = bodyOf(status >= 500 && code !== 'kbs-busy' ? 'internal' : code);
  return c.body(body, status as 400, JSON_TYPE);
}

function setCookie(c: KbsRequest, id: string, { secure }: KbsOptions): void {
  const attributes = `Path=/; HttpOnly; SameSite=Strict${secure ? '; Secure' : ''}`;
  c.header('set-cookie', `${COOKIE}=${id}; ${attributes}`);
  c.header('cache-control', 'no-store');
}

function pathOf(c: KbsRequest): string {
  const { repository = '', type = '', tag = '' } = c.req.param() as Record<string, string>;
  return `${repository}/${type}/${tag}`;
}

function sessionOf(c: KbsRequest): string {
  return cookieOf(c) ?? bearerOf(c) ?? '';
}

function cookieOf(c: KbsRequest): string | undefined {
  const cookies = (c.req.header('cookie') ?? '').split(';').map((each) => each.trim());
  const found = cookies.filter((each) => each.startsWith(`${COOKIE}=`));
  // Two would leave it to the order which one counts.
  return found.length === 1 ? found[0]?.slice(COOKIE.length + 1) : undefined;
}

function bearerOf(c: KbsRequest): string | undefined {
  const token = /^Bearer ([A-Za-z0-9._-]{1,2048})$/.exec(c.req.header('authorization') ?? '')?.[1];
  return token === undefined ? undefined : Tokens.sessionOf(token);
}
