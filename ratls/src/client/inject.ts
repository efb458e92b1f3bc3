/**
 * The request that delivers a secret: signed for this session, this box and this value alone.
 *
 * @module
 */
import { createHash, createPublicKey, type KeyObject } from 'node:crypto';
import type { TLSSocket } from 'node:tls';
import { INJECT_EXPORTER, MAX_SECRET_SIZE, signInjection } from '../binding/injection.ts';
import { EXPORTER_SIZE } from '../binding/report-data.ts';
import { RatlsError } from '../errors.ts';
import { MAX_ANSWER } from '../protocol/messages.ts';
import type { VerifiedPeer } from './verify-peer.ts';

export interface InjectionRequest {
  readonly name: string;
  readonly value: Uint8Array;
  readonly key: KeyObject;
}

/** @throws {RatlsError} `no-such-secret`, `injector-not-permitted`, `secret-too-large` */
export function injectionOf(socket: TLSSocket, peer: VerifiedPeer, request: InjectionRequest) {
  const { name, value, key } = request;
  const spki = createPublicKey(key).export({ format: 'der', type: 'spki' });
  requirePermitted(peer, request, spki);
  const context = Buffer.from(name, 'utf8');
  const injection = {
    exporter: socket.exportKeyingMaterial(EXPORTER_SIZE, INJECT_EXPORTER, context),
    spki: peer.spki,
    instance: Buffer.from(peer.instance, 'hex'),
    specDigest: Buffer.from(peer.specDigest, 'hex'),
    name,
    value,
  };
  const body = JSON.stringify({
    value: base64(value),
    key: base64(spki),
    signature: base64(signInjection(injection, key)),
  });
  const path = `/secrets/${encodeURIComponent(name)}`;
  return { method: 'PUT', path, body, limit: MAX_ANSWER } as const;
}

/**
 * The verified spec says who may inject what, so a value that the agent would refuse is never sent.
 */
function requirePermitted(
  { spec }: VerifiedPeer,
  { name, value }: InjectionRequest,
  spki: Buffer,
): void {
  const secret = spec.secrets.find((each) => each.name === name);
  if (secret === undefined) {
    const expected = spec.secrets.map((each) => each.name).join(', ') || 'none';
    throw new RatlsError(
      'no-such-secret',
      `Cannot inject ${name}: the launch spec has no such secret.`,
      {
        expected,
        found: name,
        bySpec: true,
        remedy: 'Name a secret that the box was created with.',
      },
    );
  }
  const digest = createHash('sha256').update(spki).digest('hex');
  if (!secret.allowAnyInjector && !secret.injectors.includes(digest)) {
    throw new RatlsError(
      'injector-not-permitted',
      `Cannot inject ${name}: the launch spec does not name this key.`,
      {
        expected: secret.injectors.join(', '),
        found: digest,
        bySpec: true,
        remedy: 'Use the private key that belongs to the public one that the box was created with.',
      },
    );
  }
  if (value.length > MAX_SECRET_SIZE) {
    throw new RatlsError(
      'secret-too-large',
      `Cannot inject ${name}: it is longer than a secret may be.`,
      {
        expected: `at most ${MAX_SECRET_SIZE} bytes`,
        found: `${value.length} bytes`,
      },
    );
  }
}

function base64(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('base64');
}
