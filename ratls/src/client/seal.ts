/**
 * Has a value sealed or unsealed, in a session whose peer was verified. The agent takes calls from
 * the keys that the launch spec names alone.
 *
 * @module
 */
import { createHash, createPublicKey, type KeyObject } from 'node:crypto';
import type { TLSSocket } from 'node:tls';
import { EXPORTER_SIZE } from '../binding/report-data.ts';
import { SEAL_EXPORTER, type SealOperation, signSealCall } from '../binding/seal-call.ts';
import { RatlsError } from '../errors.ts';
import { MAX_ANSWER } from '../protocol/messages.ts';
import type { VerifiedPeer } from './verify-peer.ts';

export interface SealTerms {
  /** What the value is for: 1 to 64 of a-z, 0-9, `.`, `_`, `/` and `-`. */
  readonly purpose: string;
  /** Which guests open the envelope. */
  readonly policy: 'exact' | 'upgradable';
  /** The least guest SVN that opens an upgradable envelope; the box's own where it is not given. */
  readonly minimumSvn?: number | undefined;
}

/** No longer value is sealed. */
export const MAX_SEALED_VALUE = 64 * 1024;

interface Parts {
  readonly socket: TLSSocket;
  readonly peer: VerifiedPeer;
  readonly key: KeyObject;
}

/** @throws {RatlsError} `sealing-policy`, `sealer-not-permitted`, `value-too-large` */
export function sealRequest(parts: Parts, terms: SealTerms, value: Uint8Array) {
  const { purpose, policy, minimumSvn } = terms;
  const { sealing } = parts.peer.spec;
  if (sealing !== 'none' && sealing !== policy && sealing !== 'upgradable') {
    throw policyRefused(sealing, policy);
  }
  const args = [purpose, policy, minimumSvn === undefined ? '' : `${minimumSvn}`, value];
  const proof = signedCall(parts, 'seal', args);
  if (value.length > MAX_SEALED_VALUE) {
    throw new RatlsError('value-too-large', 'Cannot seal the value: it is too long.', {
      expected: `at most ${MAX_SEALED_VALUE} bytes`,
      found: `${value.length} bytes`,
    });
  }
  const body = { purpose, policy, minimumSvn, value: base64(value), ...proof };
  return requestOf('/seal', body);
}

/** @throws {RatlsError} `sealing-policy`, `sealer-not-permitted` */
export function unsealRequest(parts: Parts, purpose: string, envelope: Uint8Array) {
  const proof = signedCall(parts, 'unseal', [purpose, envelope]);
  return requestOf('/unseal', { purpose, envelope: base64(envelope), ...proof });
}

function requestOf(path: string, body: object) {
  return { method: 'POST', path, body: JSON.stringify(body), limit: MAX_ANSWER } as const;
}

/** The verified spec says who may call: a value that the agent would refuse is never sent. */
function signedCall(
  { socket, peer, key }: Parts,
  operation: SealOperation,
  args: readonly (string | Uint8Array)[],
): { readonly key: string; readonly signature: string } {
  const { sealing, sealers = [] } = peer.spec;
  if (sealing === 'none') throw policyRefused(sealing, operation);
  const spki = createPublicKey(key).export({ format: 'der', type: 'spki' });
  const digest = createHash('sha256').update(spki).digest('hex');
  if (!sealers.includes(digest)) {
    throw new RatlsError(
      'sealer-not-permitted',
      `Cannot ${operation}: the launch spec does not name this key among its sealers.`,
      {
        expected: sealers.join(', ') || 'none',
        found: digest,
        bySpec: true,
        remedy: 'Use the private key that belongs to a public one that the box was created with.',
      },
    );
  }
  const call = {
    exporter: socket.exportKeyingMaterial(EXPORTER_SIZE, SEAL_EXPORTER, Buffer.from(operation)),
    spki: peer.spki,
    instance: Buffer.from(peer.instance, 'hex'),
    specDigest: Buffer.from(peer.specDigest, 'hex'),
    operation,
    arguments: args,
  };
  return { key: base64(spki), signature: base64(signSealCall(call, key)) };
}

function policyRefused(sealing: string, found: string): RatlsError {
  return new RatlsError(
    'sealing-policy',
    `Cannot seal: the launch spec says sealing ${sealing}, which does not permit it.`,
    {
      expected: sealing,
      found,
      bySpec: true,
      remedy: 'Create the box with --sealing, which its launch spec then has.',
    },
  );
}

function base64(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('base64');
}
