/**
 * Makes a processor's own certificate authorities: ARK, ASK and ASVK.
 *
 * @module
 */
import { createHash, generateKeyPair, type KeyObject, randomBytes } from 'node:crypto';
import { promisify } from 'node:util';
import { assemble, buildCaTbs } from '../../certificates/build.ts';
import { composeState, type SimulatedState } from '../state.ts';
import { nameOf, SIMULATED_CRL_URLS, SIMULATED_SERIALS } from './names.ts';
import { signPss } from './pss.ts';

const DAY = 86_400_000;
const YEARS = 25 * 365 * DAY;

/** A key pair, with its public key as certificates contain it. */
interface AuthorityKey {
  readonly privateKey: KeyObject;
  readonly modulus: Uint8Array;
  /** 20 bytes, hexadecimal. */
  readonly keyId: string;
}

/**
 * A new state: three RSA keys of 4096 bits, which takes seconds, and a new chip.
 *
 * Certificates are valid from a day before, for clocks that go after.
 */
export async function createSimulatedState(now: Date): Promise<SimulatedState> {
  const [ark, ask, asvk] = await Promise.all([createKey(), createKey(), createKey()]);
  const notBefore = now.getTime() - DAY;
  const authority = (name: 'ark' | 'ask' | 'asvk', key: AuthorityKey) => {
    const tbs = buildCaTbs({
      subject: nameOf(name),
      issuer: nameOf('ark'),
      serial: SIMULATED_SERIALS[name],
      notBefore,
      notAfter: notBefore + YEARS,
      publicKey: { modulus: key.modulus },
      subjectKeyId: key.keyId,
      authorityKeyId: name === 'ark' ? null : ark.keyId,
      crlDistributionPoint: SIMULATED_CRL_URLS[name === 'asvk' ? 'vlek' : 'vcek'],
      trailerField: true,
    });
    const certificate = assemble(tbs, signPss(tbs, ark.privateKey), true);
    return {
      key: key.privateKey.export({ format: 'der', type: 'pkcs8' }).toString('base64'),
      certificate: Buffer.from(certificate).toString('base64'),
    };
  };
  return composeState({
    createdAt: now,
    chip: { id: randomBytes(64).toString('hex'), secret: randomBytes(32).toString('hex') },
    ark: authority('ark', ark),
    ask: authority('ask', ask),
    asvk: authority('asvk', asvk),
  });
}

async function createKey(): Promise<AuthorityKey> {
  const { privateKey, publicKey } = await promisify(generateKeyPair)('rsa', {
    modulusLength: 4096,
    publicExponent: 65537,
  });
  const modulus = Buffer.from(String(publicKey.export({ format: 'jwk' }).n), 'base64url');
  const bits = publicKey.export({ format: 'der', type: 'pkcs1' });
  // RFC 5280, 4.2.1.2, method (1).
  const keyId = createHash('sha1').update(bits).digest('hex');
  return { privateKey, modulus: new Uint8Array(modulus), keyId };
}
