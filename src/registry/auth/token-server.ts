/**
 * Gets tokens from a token server: by Docker's GET, or by OAuth 2.0's POST where a refresh token is
 * at hand or the server refuses GET.
 *
 * @module
 */
import { A3sError } from '../../errors.ts';
import { shown } from '../hosts/addresses.ts';
import { discard } from '../http/error-body.ts';
import type { HttpResponse } from '../http/message.ts';
import { refusal } from '../http/refusal.ts';
import type { Credentials } from '../registry.ts';
import { MAX_TOKEN_ANSWER, readTokenAnswer, type Token } from './token-answer.ts';

/** A registry's description of its token server. */
export interface TokenServer {
  readonly realm: URL;
  readonly service: string | undefined;
}

export interface TokenQuestion {
  /** Of the registry, for messages and remedies. */
  readonly domain: string;
  readonly server: TokenServer;
  readonly scopes: readonly string[];
  readonly credentials: Credentials | undefined;
  /** Asks for a refresh token, too. */
  readonly offline: boolean;
}

/** Sends a request to the token server, without following redirects. */
export type AskTokenServer = (request: {
  readonly method: 'GET' | 'POST';
  readonly url: URL;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: Buffer;
}) => Promise<HttpResponse>;

const CLIENT = 'a3s-box';

/**
 * @throws A3sError `registry-unauthorized` and other `registry-…` errors; `registry-failed` for an
 * answer without a token
 */
export async function fetchToken(ask: AskTokenServer, question: TokenQuestion): Promise<Token> {
  const { server, credentials } = question;
  const { username, password, identityToken } = credentials ?? {};
  const answer =
    identityToken !== undefined && identityToken !== ''
      ? await post(ask, question, { grant_type: 'refresh_token', refresh_token: identityToken })
      : await get(ask, question, username, password);
  if (answer.status !== 200) {
    const about = {
      domain: question.domain,
      known: credentials !== undefined,
      secrets: [
        password ?? '',
        identityToken ?? '',
        basic(username ?? '', password ?? '').replace(/^Basic /, ''),
      ],
    };
    throw await refusal(await answered(answer, server), about);
  }
  return readTokenAnswer(await readAnswer(answer, server), Date.now(), shown(server.realm));
}

async function get(
  ask: AskTokenServer,
  question: TokenQuestion,
  username: string | undefined,
  password: string | undefined,
): Promise<HttpResponse> {
  const { server, scopes, offline } = question;
  const url = new URL(server.realm);
  if (server.service !== undefined) url.searchParams.append('service', server.service);
  for (const scope of scopes) url.searchParams.append('scope', scope);
  url.searchParams.append('client_id', CLIENT);
  if (offline) url.searchParams.append('offline_token', 'true');
  const isUser = username !== undefined && password !== undefined;
  if (isUser) url.searchParams.append('account', username);
  const headers: Record<string, string> = isUser
    ? { authorization: basic(username, password) }
    : {};
  const answer = await ask({ method: 'GET', url, headers });
  if (!isUser || (answer.status !== 404 && answer.status !== 405)) return answer;
  await discard(answer);
  return await post(ask, question, { grant_type: 'password', username, password });
}

async function post(
  ask: AskTokenServer,
  { server, scopes, offline }: TokenQuestion,
  grant: Readonly<Record<string, string>>,
): Promise<HttpResponse> {
  const form = new URLSearchParams(grant);
  form.append('client_id', CLIENT);
  form.append('access_type', offline ? 'offline' : 'online');
  if (server.service !== undefined) form.append('service', server.service);
  if (scopes.length > 0) form.append('scope', scopes.join(' '));
  const headers = { 'content-type': 'application/x-www-form-urlencoded' };
  return await ask({
    method: 'POST',
    url: server.realm,
    headers,
    body: Buffer.from(form.toString()),
  });
}

export function basic(username: string, password: string): string {
  return `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`;
}

/** The answer, unless it is a redirect: passwords are for this server alone. */
async function answered(answer: HttpResponse, { realm }: TokenServer): Promise<HttpResponse> {
  if (answer.status < 300 || answer.status >= 400) return answer;
  await discard(answer);
  throw new A3sError(
    'registry-failed',
    `Cannot get a token: the token server ${shown(realm)} redirects, which is not followed`,
    { remedy: "Ask the registry's operator to name the right token server." },
  );
}

async function readAnswer(answer: HttpResponse, { realm }: TokenServer): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of answer.body) {
    length += chunk.length;
    if (length > MAX_TOKEN_ANSWER) {
      throw new A3sError(
        'registry-failed',
        `Cannot use the answer of the token server ${shown(realm)}: it has more than ${MAX_TOKEN_ANSWER} bytes`,
      );
    }
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}
