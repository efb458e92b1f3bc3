/**
 * The token that a guest gets after its attestation: a JWT that names its session.
 *
 * It says nothing of the appraisal. Trustee's clients read its times, and send it back or not: the
 * cookie does as well.
 *
 * @module
 */
import { generateKeyPairSync, type KeyObject, sign } from 'node:crypto';

const ISSUER = 'a3s-box-broker';

export class Tokens {
  /** Of this process: its sessions end with it, and so do their tokens. */
  readonly #key: KeyObject = generateKeyPairSync('ed25519').privateKey;

  issue(session: string, now: Date, lifetimeMs: number): string {
    const seconds = Math.floor(now.getTime() / 1000);
    const header = encode({ alg: 'EdDSA', typ: 'JWT' });
    const claims = encode({
      iss: ISSUER,
      iat: seconds,
      nbf: seconds,
      exp: seconds + Math.floor(lifetimeMs / 1000),
      jti: session,
    });
    const text = `${header}.${claims}`;
    return `${text}.${sign(null, Buffer.from(text), this.#key).toString('base64url')}`;
  }

  /**
   * The session that a token names; whether there is one, the caller looks up. It is as secret as
   * the cookie, so a signature would prove nothing more.
   */
  static sessionOf(token: string): string | undefined {
    const [, claims = '', ...rest] = token.split('.');
    if (rest.length !== 1) return undefined;
    try {
      const { jti } = JSON.parse(Buffer.from(claims, 'base64url').toString());
      return typeof jti === 'string' ? jti : undefined;
    } catch {
      return undefined;
    }
  }
}

function encode(value: unknown): string {
  return Buffer.from(JSON.stringify(value)).toString('base64url');
}
