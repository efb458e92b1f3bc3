/**
 * Public keys that a policy names: one SubjectPublicKeyInfo in PEM, of a kind that cosign signs
 * with.
 *
 * @module
 */
import { createHash, createPublicKey, type KeyObject } from 'node:crypto';
import { checkKeyKind } from '../keys/key-kinds.ts';
import type { PolicyKey } from '../policy.ts';

/** Matches all of a text; `createPublicKey` parses the lines in between. */
const ONE_BLOCK = /^\s*-----BEGIN ([A-Z0-9 ]{1,64})-----[^-]*-----END \1-----\s*$/;

/**
 * @param name as the policy names the key
 * @throws Error that says what is wrong with the text, without a word of it
 */
export function readPolicyKey(name: string, pem: string): PolicyKey {
  const labels = [...pem.matchAll(/-----BEGIN ([^\r\n]{0,64}?)-----/g)].map(([, label]) => label);
  if (labels.some((label) => label?.includes('PRIVATE KEY'))) {
    throw new Error(
      'it has a private key: a policy takes public ones, and the private stays with its owner',
    );
  }
  if (labels.length > 1) {
    throw new Error(`it has ${labels.length} PEM blocks: a key is one, and stands in its own file`);
  }
  const [label] = labels;
  if (label === 'CERTIFICATE') {
    throw new Error('it is a certificate: take the public key out of it, or name its identity');
  }
  if (label !== 'PUBLIC KEY' || !ONE_BLOCK.test(pem)) {
    throw new Error('it is no public key in PEM that begins with -----BEGIN PUBLIC KEY-----');
  }
  const key = usable(parse(pem));
  const spki = key.export({ type: 'spki', format: 'der' });
  return { name, keyId: createHash('sha256').update(spki).digest('hex'), key };
}

function parse(pem: string): KeyObject {
  try {
    return createPublicKey({ key: pem, format: 'pem' });
  } catch (error) {
    throw new Error('what is between its PEM lines is no public key', { cause: error });
  }
}

/** One key has one id, also where its point is compressed. */
function usable(key: KeyObject): KeyObject {
  checkKeyKind(key);
  if (key.asymmetricKeyType !== 'ec') return key;
  return createPublicKey({ key: key.export({ format: 'jwk' }), format: 'jwk' });
}
