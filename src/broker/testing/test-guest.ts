/**
 * A guest that speaks KBS protocol 0.4 as Trustee's attester does, for tests.
 *
 * @module
 */
import {
  createDecipheriv,
  createHash,
  createPublicKey,
  diffieHellman,
  generateKeyPairSync,
  type KeyObject,
} from 'node:crypto';
import type { SimulatedGuest } from '@a3s-box/attestation/simulated';
import { canonicalJson } from '../../canonical-json.ts';
import { concatKdf, type Jwe } from '../kbs/jwe.ts';
import type { Answer } from './test-broker.ts';

export interface Challenged extends Answer {
  readonly cookie: string;
  readonly nonce: string;
}

const bytes = (text: string) => Buffer.from(text, 'base64url');

export class TestGuest {
  readonly #url: (path: string) => string;
  readonly #machine: SimulatedGuest;
  readonly #privateKey: KeyObject;
  readonly teeKey: Readonly<Record<string, string>>;

  constructor(url: (path: string) => string, machine: SimulatedGuest) {
    this.#url = url;
    this.#machine = machine;
    const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const { x = '', y = '' } = publicKey.export({ format: 'jwk' });
    this.#privateKey = privateKey;
    this.teeKey = { kty: 'EC', crv: 'P-256', alg: 'ECDH-ES+A256KW', x, y };
  }

  async challenge(
    tee = 'a3s-simulated',
    extra: unknown = { 'supported-hash-algorithms': ['sha256', 'sha384', 'sha512'] },
  ): Promise<Challenged> {
    const body = { version: '0.4.0', tee, 'extra-params': extra };
    const { cookie, ...answer } = await this.#send('POST', '/kbs/v0/auth', body);
    return { ...answer, cookie, nonce: String(answer.body['nonce']) };
  }

  /** What is sent to be attested with a nonce. */
  attestation(nonce: string, changes: Readonly<Record<string, unknown>> = {}) {
    const runtime = { nonce, 'tee-pubkey': this.teeKey };
    const bound = canonicalJson({ ...runtime, 'additional-evidence': '' });
    const reportData = new Uint8Array(64);
    reportData.set(createHash('sha384').update(bound).digest());
    const { report, evidence } = this.#machine.report({ reportData });
    const [ask, ark] = evidence.authorities ?? [];
    const certificates = { VCEK: evidence.vek, ASK: ask, ARK: ark };
    return {
      'init-data': null,
      'runtime-data': runtime,
      'tee-evidence': {
        primary_evidence: {
          attestation_report: Buffer.from(report).toString('base64'),
          cert_chain: Object.entries(certificates).map(([type, der]) => ({
            cert_type: type,
            data: [...(der ?? [])],
          })),
        },
        additional_evidence: '',
      },
      ...changes,
    };
  }

  attest(cookie: string, attestation: unknown): Promise<Answer & { readonly cookie: string }> {
    return this.#send('POST', '/kbs/v0/attest', attestation, { cookie });
  }

  resource(cookie: string, path: string): Promise<Answer> {
    return this.#send('GET', `/kbs/v0/resource/${path}`, undefined, { cookie });
  }

  counter(cookie: string, path: string): Promise<Answer> {
    return this.#send('GET', `/kbs/v0/counter/${path}`, undefined, { cookie });
  }

  advance(cookie: string, path: string, step: unknown): Promise<Answer> {
    return this.#send('POST', `/kbs/v0/counter/${path}`, step, { cookie });
  }

  result(cookie: string, request: unknown): Promise<Answer> {
    return this.#send('POST', '/kbs/v0/result', request, { cookie });
  }

  /** Ends the session; the status of the answer. */
  async end(cookie: string): Promise<number> {
    const url = this.#url('/kbs/v0/session');
    return (await fetch(url, { method: 'DELETE', headers: { cookie } })).status;
  }

  resourceByToken(token: string, path: string): Promise<Answer> {
    const headers = { authorization: `Bearer ${token}` };
    return this.#send('GET', `/kbs/v0/resource/${path}`, undefined, headers);
  }

  /** From the challenge to the cookie of an attested session. */
  async enter(): Promise<string> {
    const { cookie, nonce } = await this.challenge();
    const answer = await this.attest(cookie, this.attestation(nonce));
    if (answer.status !== 200) throw new Error(JSON.stringify(answer.body));
    return answer.cookie;
  }

  /** @throws for what was encrypted to another guest */
  decrypt(body: unknown): string {
    const jwe = body as Jwe;
    const { alg, epk } = JSON.parse(bytes(jwe.protected).toString());
    const publicKey = createPublicKey({ key: epk, format: 'jwk' });
    const shared = diffieHellman({ privateKey: this.#privateKey, publicKey });
    const unwrap = createDecipheriv(
      'id-aes256-wrap',
      concatKdf(shared, alg),
      Buffer.alloc(8, 0xa6),
    );
    const key = Buffer.concat([unwrap.update(bytes(jwe.encrypted_key)), unwrap.final()]);
    const decipher = createDecipheriv('aes-256-gcm', key, bytes(jwe.iv), { authTagLength: 16 });
    decipher.setAAD(Buffer.from(jwe.protected));
    decipher.setAuthTag(bytes(jwe.tag));
    return Buffer.concat([decipher.update(bytes(jwe.ciphertext)), decipher.final()]).toString();
  }

  async #send(
    method: string,
    path: string,
    body?: unknown,
    headers: Readonly<Record<string, string>> = {},
  ): Promise<Answer & { readonly cookie: string }> {
    const response = await fetch(this.#url(path), {
      method,
      headers: {
        ...headers,
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const cookie = (response.headers.get('set-cookie') ?? '').split(';')[0] ?? '';
    const document = (await response.json()) as Record<string, unknown>;
    return { status: response.status, body: document, cookie };
  }
}
