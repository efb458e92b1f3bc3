/**
 * A session with a peer that passed every check; `connect` alone makes one.
 *
 * @module
 */
import type { KeyObject } from 'node:crypto';
import type { ClientHttp2Session } from 'node:http2';
import type { TLSSocket } from 'node:tls';
import {
  type Info,
  InfoAnswer,
  MAX_ANSWER,
  SealAnswer,
  UnsealAnswer,
} from '../protocol/messages.ts';
import { exchange } from './exchange.ts';
import { type FetchInit, fetchOver } from './fetch.ts';
import { injectionOf } from './inject.ts';
import { readAnswer, refusalOf } from './read-json.ts';
import { type SealTerms, sealRequest, unsealRequest } from './seal.ts';
import type { VerifiedPeer } from './verify-peer.ts';

export class RatlsSession {
  readonly #socket: TLSSocket;
  readonly #session: ClientHttp2Session;
  readonly #timeout: number;
  /** The verified peer, and the checks that it passed. */
  readonly peer: VerifiedPeer;
  /** Resolves once the session has ended, from either side. */
  readonly closed: Promise<void>;

  /** @internal */
  constructor(socket: TLSSocket, session: ClientHttp2Session, peer: VerifiedPeer, timeout: number) {
    this.#socket = socket;
    this.#session = session;
    this.#timeout = timeout;
    this.peer = peer;
    this.closed = new Promise((resolve) => session.once('close', resolve));
  }

  /** Whether the session accepts no more requests. */
  get ended(): boolean {
    return this.#session.closed || this.#session.destroyed || this.#socket.destroyed;
  }

  /**
   * As `fetch`, below this session: `path` begins with a slash. The time limit is the caller's
   * signal.
   *
   * @throws {RatlsError} `closed`, `aborted`, `protocol`
   */
  fetch(path: string, init: FetchInit = {}): Promise<Response> {
    return fetchOver(this.#session, path, init);
  }

  /** The agent's information about itself and its secrets. @throws {RatlsError} */
  async info(options: { readonly signal?: AbortSignal } = {}): Promise<Info> {
    const { signal } = options;
    const request = { method: 'GET', path: '/info', limit: MAX_ANSWER } as const;
    const answer = await exchange(this.#session, { ...request, timeout: this.#timeout, signal });
    return readAnswer(answer, InfoAnswer);
  }

  /**
   * Delivers a secret, and proves with the injector's key the right to do so.
   *
   * @param value at most 64 KiB
   * @param key private: Ed25519, or ECDSA on P-256 or P-384
   * @throws {RatlsError} `no-such-secret` and `injector-not-permitted` by the verified spec, before
   *   anything is sent; `secret-already-delivered`, `secrets-closed` and the others of
   *   {@link AGENT_CODES} from the agent
   * @throws {TypeError} for a key of another kind
   */
  async injectSecret(
    name: string,
    value: Uint8Array,
    key: KeyObject,
    options: { readonly signal?: AbortSignal } = {},
  ): Promise<void> {
    const request = injectionOf(this.#socket, this.peer, { name, value, key });
    const { signal } = options;
    const answer = await exchange(this.#session, { ...request, timeout: this.#timeout, signal });
    if (answer.status !== 204) throw refusalOf(answer);
  }

  /**
   * Has the guest seal a value. The answer is the guest's word; read its header with
   * `parseEnvelope` of `@a3s-box/sealing`.
   *
   * @param value at most 64 KiB
   * @param key private, of a key that `sealers` of the launch spec names
   * @throws {RatlsError} `sealing-policy` and `sealer-not-permitted` by the verified spec, before
   *   anything is sent; others of {@link AGENT_CODES} from the agent
   * @throws {TypeError} for a key of another kind
   */
  async seal(
    value: Uint8Array,
    terms: SealTerms,
    key: KeyObject,
    options: { readonly signal?: AbortSignal } = {},
  ): Promise<Uint8Array> {
    const request = sealRequest(this.#parts(key), terms, value);
    const { signal } = options;
    const answer = await exchange(this.#session, { ...request, timeout: this.#timeout, signal });
    return readAnswer(answer, SealAnswer).envelope;
  }

  /**
   * Has the guest open an envelope that it may open, and return the value.
   *
   * @param purpose what it was sealed for
   * @throws {RatlsError} as {@link seal}, and the code of the rule that keeps the guest from it
   * @throws {TypeError} for a key of another kind
   */
  async unseal(
    envelope: Uint8Array,
    purpose: string,
    key: KeyObject,
    options: { readonly signal?: AbortSignal } = {},
  ): Promise<Uint8Array> {
    const request = unsealRequest(this.#parts(key), purpose, envelope);
    const { signal } = options;
    const answer = await exchange(this.#session, { ...request, timeout: this.#timeout, signal });
    return readAnswer(answer, UnsealAnswer).value;
  }

  #parts(key: KeyObject) {
    return { socket: this.#socket, peer: this.peer, key };
  }

  /** Ends the session; unanswered requests fail. */
  close(): void {
    this.#session.destroy();
    this.#socket.destroy();
  }

  [Symbol.dispose](): void {
    this.close();
  }
}
