/**
 * A token server as Docker's specification has it, for tests: GET with basic credentials, POST as
 * OAuth 2.0, refresh tokens. Its tokens are JWTs that Debian's `docker-registry` takes.
 *
 * Everybody may pull what is below `public/`; its one user may do everything.
 *
 * @module
 */
import { createSign, randomUUID, X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createServer as createPlain, type IncomingMessage, type ServerResponse } from 'node:http';
import { createServer as createTls } from 'node:https';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import type { CertificateFiles } from './test-authority.ts';

export interface TokenServerOptions {
  readonly signing: CertificateFiles;
  readonly tls: CertificateFiles | undefined;
  readonly username: string;
  readonly password: string;
  /** How long its tokens hold, in seconds. */
  readonly expiresIn?: number;
  /** Refuses GET, as some servers do; the default answers both. */
  readonly postOnly?: boolean;
  /** Answers POST with 404, as servers older than OAuth do. */
  readonly getOnly?: boolean;
}

/** One request for a token, as it came. */
export interface TokenRequest {
  readonly method: string;
  readonly grant: 'anonymous' | 'basic' | 'password' | 'refresh_token';
  readonly scopes: readonly string[];
  readonly clientId: string | undefined;
  readonly granted: boolean;
}

export interface TokenServer {
  readonly realm: string;
  readonly service: string;
  readonly issuer: string;
  readonly requests: readonly TokenRequest[];
  /** A refresh token that it takes. */
  readonly refreshToken: string;
  /** Makes all refresh tokens void. */
  revoke(): void;
  stop(): Promise<void>;
}

const SERVICE = 'registry.test';
const ISSUER = 'tokens.test';

export async function startTokenServer(options: TokenServerOptions): Promise<TokenServer> {
  const requests: TokenRequest[] = [];
  let refreshToken: string | undefined = `refresh-${randomUUID()}`;
  const first = refreshToken;

  const answer = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const url = new URL(request.url ?? '/', 'http://tokens.test');
    const method = request.method ?? '';
    const unknown = url.pathname !== '/token' || (method === 'POST' && options.getOnly === true);
    if (unknown) return send(response, 404, { error: 'not_found' });
    if (method === 'GET' && options.postOnly === true) {
      return send(response, 405, { error: 'use POST' });
    }
    const form = method === 'POST' ? new URLSearchParams(await text(request)) : url.searchParams;
    const grant = grantOf(method, request, form);
    const scopes = form.getAll('scope').flatMap((scope) => scope.split(' ').filter(Boolean));
    const known =
      grant === 'anonymous' ||
      (grant === 'refresh_token'
        ? form.get('refresh_token') === refreshToken
        : isUser(grant, request, form));
    const granted = known && form.get('service') === SERVICE;
    const clientId = form.get('client_id') ?? undefined;
    requests.push({ method, grant, scopes, clientId, granted });
    if (!granted) {
      return send(response, 401, {
        errors: [{ code: 'UNAUTHORIZED', message: 'incorrect username or password' }],
      });
    }
    const subject = grant === 'anonymous' ? '' : options.username;
    const token = sign(subject, scopes);
    const offline =
      form.get('offline_token') === 'true' ||
      form.get('access_type') === 'offline' ||
      grant === 'refresh_token';
    return send(response, 200, {
      ...(method === 'POST' ? { access_token: token, scope: scopes.join(' ') } : { token }),
      expires_in: options.expiresIn ?? 300,
      issued_at: new Date().toISOString(),
      ...(offline && subject !== '' ? { refresh_token: refreshToken } : {}),
    });
  };

  const isUser = (
    grant: TokenRequest['grant'],
    request: IncomingMessage,
    form: URLSearchParams,
  ): boolean => {
    const expected = `${options.username}:${options.password}`;
    if (grant === 'basic') {
      return request.headers.authorization === `Basic ${Buffer.from(expected).toString('base64')}`;
    }
    return `${form.get('username')}:${form.get('password')}` === expected;
  };

  const key = readFileSync(options.signing.key, 'utf8');
  const certificate = new X509Certificate(readFileSync(options.signing.cert));
  const sign = (subject: string, scopes: readonly string[]): string => {
    const now = Math.floor(Date.now() / 1000);
    const header = { typ: 'JWT', alg: 'RS256', x5c: [certificate.raw.toString('base64')] };
    const claims = {
      ...{ iss: ISSUER, sub: subject, aud: SERVICE, jti: randomUUID() },
      ...{ iat: now, nbf: now - 10, exp: now + (options.expiresIn ?? 300) },
      access: scopes.flatMap((scope) => accessOf(scope, subject)),
    };
    const signed = [header, claims].map((part) => base64url(JSON.stringify(part))).join('.');
    return `${signed}.${createSign('RSA-SHA256').update(signed).sign(key).toString('base64url')}`;
  };

  const handler = (request: IncomingMessage, response: ServerResponse): void => {
    answer(request, response).catch((error: unknown) => response.destroy(error as Error));
  };
  const server =
    options.tls === undefined
      ? createPlain(handler)
      : createTls(
          { cert: readFileSync(options.tls.cert), key: readFileSync(options.tls.key) },
          handler,
        );
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(0, '127.0.0.1', resolve);
  });
  const { port } = server.address() as AddressInfo;
  return {
    realm: `${options.tls === undefined ? 'http' : 'https'}://127.0.0.1:${port}/token`,
    service: SERVICE,
    issuer: ISSUER,
    requests,
    refreshToken: first,
    revoke: () => {
      refreshToken = undefined;
    },
    stop: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

function grantOf(
  method: string,
  request: IncomingMessage,
  form: URLSearchParams,
): TokenRequest['grant'] {
  if (method === 'POST') {
    return form.get('grant_type') === 'refresh_token' ? 'refresh_token' : 'password';
  }
  return request.headers.authorization === undefined ? 'anonymous' : 'basic';
}

/** `repository:team/app:pull,push`, cut to what the subject may do. */
function accessOf(scope: string, subject: string): unknown[] {
  const [type = '', name = '', actions = ''] = scope.split(':');
  const allowed = actions
    .split(',')
    .filter((action) => subject !== '' || (name.startsWith('public/') && action === 'pull'));
  return allowed.length === 0 ? [] : [{ type, name, actions: allowed }];
}

function base64url(value: string): string {
  return Buffer.from(value).toString('base64url');
}

function send(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { 'content-type': 'application/json' });
  response.end(JSON.stringify(body));
}
