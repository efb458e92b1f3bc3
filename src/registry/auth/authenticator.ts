/**
 * Authenticates one user to one registry host: with nothing, a password, or tokens, as the host
 * demands.
 *
 * @module
 */
import { A3sError } from '../../errors.ts';
import { type Challenge, parseChallenges } from '../http/challenge.ts';
import type { HttpResponse } from '../http/message.ts';
import type { Credentials } from '../registry.ts';
import type { Token } from './token-answer.ts';
import { tokenServerOf } from './token-realm.ts';
import { type AskTokenServer, basic, fetchToken, type TokenServer } from './token-server.ts';

export interface AuthenticatorOptions {
  readonly domain: string;
  readonly credentials: Credentials | undefined;
  readonly ask: AskTokenServer;
  /** Asks for refresh tokens, too. */
  readonly offline?: boolean;
}

type Scheme =
  | { readonly kind: 'basic' }
  | { readonly kind: 'bearer'; readonly server: TokenServer };

const MAX_TOKENS = 64;
/** Bound on the scopes in one challenge; no honest registry names more. */
const MAX_SCOPES = 16;
const SCOPE = /^[\x21\x23-\x5b\x5d-\x7e]{1,1024}$/;

export class Authenticator {
  readonly #options: AuthenticatorOptions;
  #scheme: Scheme | undefined;
  /** Tokens by scopes, oldest first. Concurrent requests for one token share one fetch. */
  readonly #tokens = new Map<string, Promise<Token>>();
  #refreshToken: string | undefined;

  /** @throws A3sError `registry-unauthorized` for a bearer token that no header can hold */
  constructor(options: AuthenticatorOptions) {
    this.#options = options;
    if (/[^\x21-\x7e]/.test(options.credentials?.registryToken ?? '')) {
      throw new A3sError(
        'registry-unauthorized',
        `Cannot use the bearer token for ${options.domain}: it has characters that no token has`,
      );
    }
  }

  /** The refresh token of the latest token answer that had one. */
  get refreshToken(): string | undefined {
    return this.#refreshToken;
  }

  get #registryToken(): string | undefined {
    return this.#options.credentials?.registryToken || undefined;
  }

  /** The `Authorization` for a request; undefined while the host has not asked for any. */
  async authorization(scopes: readonly string[]): Promise<string | undefined> {
    if (this.#registryToken !== undefined) return `Bearer ${this.#registryToken}`;
    const scheme = this.#scheme;
    if (scheme === undefined) return undefined;
    if (scheme.kind === 'basic') return this.#basic();
    return `Bearer ${(await this.#token(scheme.server, scopes)).value}`;
  }

  /**
   * The `Authorization` after a 401; undefined where no other one could succeed.
   *
   * @param sent the `Authorization` that was refused
   * @param registry where the answer came from
   */
  async answer(
    { headers }: Pick<HttpResponse, 'headers'>,
    scopes: readonly string[],
    sent: string | undefined,
    registry: URL,
  ): Promise<string | undefined> {
    // A bearer token from the caller cannot be replaced.
    if (this.#registryToken !== undefined) return undefined;
    const challenges = parseChallenges(headers['www-authenticate'] ?? '');
    if (challenges === undefined) throw unreadable(this.#options.domain);
    const bearer = challenges.find(({ scheme }) => scheme === 'bearer');
    if (bearer !== undefined) {
      const server = tokenServerOf(bearer, registry);
      this.#scheme = { kind: 'bearer', server };
      return await this.#betterToken(server, scopes, union(scopes, scopesOf(bearer)), sent);
    }
    if (!challenges.some(({ scheme }) => scheme === 'basic')) return undefined;
    this.#scheme = { kind: 'basic' };
    const password = this.#basic();
    return password === sent ? undefined : password;
  }

  /** Fetches a token for all wanted scopes, and uses it for `scopes` from now on, too. */
  async #betterToken(
    server: TokenServer,
    scopes: readonly string[],
    wanted: readonly string[],
    sent: string | undefined,
  ): Promise<string> {
    const key = keyOf(wanted);
    const kept = this.#tokens.get(key);
    // When a token ends during many requests, one of them fetches the next.
    const value = kept === undefined ? undefined : `Bearer ${(await kept).value}`;
    if (value !== undefined && value !== sent) return value;
    if (this.#tokens.get(key) === kept) this.#tokens.delete(key);
    const token = this.#token(server, wanted);
    this.#keep(keyOf(scopes), token);
    return `Bearer ${(await token).value}`;
  }

  #basic(): string | undefined {
    const { username, password } = this.#options.credentials ?? {};
    if (username === undefined || password === undefined) return undefined;
    return basic(username, password);
  }

  async #token(server: TokenServer, scopes: readonly string[]): Promise<Token> {
    const key = keyOf(scopes);
    for (let kept = this.#tokens.get(key); kept !== undefined; ) {
      const token = await kept;
      if (Date.now() < token.renewAt) return token;
      const current = this.#tokens.get(key);
      if (current === kept) break;
      kept = current;
    }
    const token = this.#fetch(server, scopes);
    this.#keep(key, token);
    return await token;
  }

  #keep(key: string, token: Promise<Token>): void {
    // The callers that asked for it handle its failure.
    token.catch(() => {
      if (this.#tokens.get(key) === token) this.#tokens.delete(key);
    });
    this.#tokens.delete(key);
    this.#tokens.set(key, token);
    for (const oldest of this.#tokens.keys()) {
      if (this.#tokens.size <= MAX_TOKENS) break;
      this.#tokens.delete(oldest);
    }
  }

  async #fetch(server: TokenServer, scopes: readonly string[]): Promise<Token> {
    const { domain, credentials, ask, offline = false } = this.#options;
    const token = await fetchToken(ask, { domain, credentials, server, scopes, offline });
    this.#refreshToken = token.refreshToken ?? this.#refreshToken;
    return token;
  }
}

function unreadable(domain: string): A3sError {
  return new A3sError(
    'registry-failed',
    `Cannot log in to ${domain}: how it asks for credentials cannot be read`,
    { remedy: 'Check that this is a registry.' },
  );
}

function keyOf(scopes: readonly string[]): string {
  return [...scopes].sort().join(' ');
}

function scopesOf({ parameters }: Challenge): readonly string[] {
  const scopes = (parameters.get('scope') ?? '').split(' ').filter((scope) => SCOPE.test(scope));
  return scopes.slice(0, MAX_SCOPES);
}

/** Each scope once, with one entry for each repository. */
function union(scopes: readonly string[], more: readonly string[]): readonly string[] {
  const actions = new Map<string, Set<string>>();
  for (const scope of [...scopes, ...more]) {
    const colon = scope.lastIndexOf(':');
    const resource = scope.slice(0, Math.max(colon, 0));
    const wanted = actions.get(resource) ?? new Set();
    for (const action of scope.slice(colon + 1).split(',')) wanted.add(action);
    actions.set(resource, wanted);
  }
  return [...actions].map(
    ([resource, wanted]) => `${resource === '' ? '' : `${resource}:`}${[...wanted].join(',')}`,
  );
}
