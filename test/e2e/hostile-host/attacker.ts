/**
 * An attacker between a client and a box, or in the box's place.
 *
 * @module
 */
import type { KeyObject, X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import type { ClientHttp2Session } from 'node:http2';
import { connect, type TLSSocket } from 'node:tls';
import type { SimulatedGuest } from '@a3s-box/attestation/simulated';
import type { EvidenceSource } from '@a3s-box/ratls';
import {
  type AgentServerOptions,
  EXPORTER_SIZE,
  exchange,
  INJECT_EXPORTER,
  signInjection,
  speakHttp2,
} from '@a3s-box/ratls/testing';
import { scaled } from '../time-scale.ts';

const TIMEOUT_MS = scaled(60_000);
const LIMIT = 16 * 2 ** 20;

export interface Said {
  readonly status: number;
  readonly code: string | undefined;
  readonly document: Record<string, unknown>;
}

/** A session with an unverified peer, which may be sent anything. */
export class Unverified {
  readonly certificate: X509Certificate;
  readonly #socket: TLSSocket;
  readonly #session: ClientHttp2Session;

  private constructor(socket: TLSSocket) {
    const certificate = socket.getPeerX509Certificate();
    if (certificate === undefined) throw new Error('it shows no certificate');
    this.certificate = certificate;
    this.#socket = socket;
    this.#session = speakHttp2(socket);
  }

  static async open(port: number): Promise<Unverified> {
    const host = '127.0.0.1';
    const socket = connect({ host, port, ALPNProtocols: ['h2'], rejectUnauthorized: false });
    await once(socket, 'secureConnect', { signal: AbortSignal.timeout(TIMEOUT_MS) });
    return new Unverified(socket);
  }

  async ask(method: 'GET' | 'POST' | 'PUT', path: string, body?: object): Promise<Said> {
    const asked = { method, path, limit: LIMIT, timeout: TIMEOUT_MS, signal: undefined };
    const answer = await exchange(
      this.#session,
      body === undefined ? asked : { ...asked, body: JSON.stringify(body) },
    );
    const text = answer.body.toString('utf8');
    const document = text === '' ? {} : JSON.parse(text);
    return { status: answer.status, code: document.error?.code, document };
  }

  attest(nonce: Uint8Array = new Uint8Array(32)): Promise<Said> {
    return this.ask('POST', '/attest', { nonce: Buffer.from(nonce).toString('base64') });
  }

  /** What an injector sends who does not look at the launch spec first. */
  async injection(name: string, value: Uint8Array, keys: Keys): Promise<object> {
    const { document } = await this.ask('GET', '/info');
    const bytes = (key: string) => Buffer.from(String(document[key]), 'hex');
    const exporter = this.#socket.exportKeyingMaterial(
      EXPORTER_SIZE,
      INJECT_EXPORTER,
      Buffer.from(name),
    );
    const spki = this.certificate.publicKey.export({ type: 'spki', format: 'der' });
    const identity = { instance: bytes('instance'), specDigest: bytes('specDigest') };
    const signature = signInjection({ exporter, spki, ...identity, name, value }, keys.privateKey);
    return {
      value: Buffer.from(value).toString('base64'),
      key: keys.publicKey.export({ type: 'spki', format: 'der' }).toString('base64'),
      signature: Buffer.from(signature).toString('base64'),
    };
  }

  close(): void {
    this.#session.destroy();
    this.#socket.destroy();
  }
}

export interface Keys {
  readonly privateKey: KeyObject;
  readonly publicKey: KeyObject;
}

/** What a box answers when it is asked over a session of its own. */
export async function askedOf(port: number, nonce: Uint8Array): Promise<Said['document']> {
  const session = await Unverified.open(port);
  try {
    return (await session.attest(nonce)).document;
  } finally {
    session.close();
  }
}

/**
 * Evidence of a box by an attacker who has the simulated processor: a certificate under a key of
 * the attacker's own passes as a hint.
 */
export function forged(
  guest: SimulatedGuest,
  { instance, specDigest, spec }: Said['document'],
): EvidenceSource {
  const hex = (value: unknown) => new Uint8Array(Buffer.from(String(value), 'hex'));
  const identity = {
    tee: 'simulated',
    instance: hex(instance),
    specDigest: hex(specDigest),
  } as const;
  return {
    identity: async () => identity,
    async evidence(reportData) {
      const { report, certificateTable } = guest.report({ reportData });
      const text = Buffer.from(String(spec), 'base64');
      return { ...identity, report, spec: text, certificates: certificateTable };
    },
  };
}

/** Answers each challenge with what `answer` gives. */
export function answering(
  answer: (nonce: Uint8Array) => object | Promise<object>,
): NonNullable<AgentServerOptions['override']> {
  return async (stream) => {
    const chunks: Buffer[] = [];
    for await (const chunk of stream) chunks.push(chunk);
    const { nonce } = JSON.parse(Buffer.concat(chunks).toString('utf8'));
    const said = JSON.stringify(await answer(Buffer.from(nonce, 'base64')));
    stream.respond({ ':status': 200, 'content-type': 'application/json' });
    stream.end(said);
    return true;
  };
}
