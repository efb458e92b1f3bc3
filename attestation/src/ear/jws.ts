/**
 * The compact serialisation of JWS (RFC 7515).
 *
 * @module
 */
import { fromBase64Url, toBase64Url } from './base64url.ts';
import type { TreeMap } from './claim-value.ts';
import { decodeJson, encodeJson } from './json.ts';
import { MAX_TOKEN_SIZE, malformed } from './malformed.ts';
import { critical, names, type OpenedToken, unknownAlgorithm } from './opened-token.ts';
import { type EarSigningKey, signed } from './signatures.ts';

/** @throws AttestationError `ear-malformed`, `ear-algorithm` or `ear-critical` */
export function openJws(token: string): OpenedToken {
  if (token.length > MAX_TOKEN_SIZE) {
    throw malformed('the token', `of at most ${MAX_TOKEN_SIZE} characters`);
  }
  const [header, payload, signature, ...more] = token
    .split('.', 4)
    .map((part) => fromBase64Url(part));
  if (header === undefined || payload === undefined || signature === undefined || more.length > 0) {
    throw malformed('the token', 'three parts in base64url, with dots between');
  }
  const members = decodeJson(header, 'the header of the token');
  if (members.has('crit')) throw critical();
  const name = members.get('alg');
  const algorithm = names().find((known) => known === name);
  if (algorithm === undefined) throw unknownAlgorithm(name);
  const signedText = token.slice(0, token.lastIndexOf('.'));
  return { algorithm, signed: new TextEncoder().encode(signedText), signature, payload };
}

export async function signJws(
  claims: TreeMap,
  key: EarSigningKey,
  keyId: string | undefined,
): Promise<string> {
  const header = new Map([
    ['alg', key.algorithm],
    ['typ', 'JWT'],
    ...(keyId === undefined ? [] : [['kid', keyId] as const]),
  ]);
  const text = `${toBase64Url(encodeJson(header))}.${toBase64Url(encodeJson(claims))}`;
  const signature = await signed(key, new TextEncoder().encode(text));
  return `${text}.${toBase64Url(signature)}`;
}
