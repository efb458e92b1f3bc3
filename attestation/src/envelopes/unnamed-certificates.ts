/**
 * Certificates that an envelope gives no names: which of them endorses, and which are authorities.
 *
 * @module
 */
import { parseVek } from '../certificates/vek.ts';
import type { EnvelopeCertificates } from './evidence-of.ts';

/**
 * The endorsement key's certificate, and the others in their order. Nothing is trusted by that:
 * verification refuses, as an authority, anything that is no certificate of an endorsement key.
 * Undefined where there are two of endorsement keys.
 */
export function unnamedCertificates(ders: readonly Uint8Array[]): EnvelopeCertificates | undefined {
  const veks = ders.filter(isVek);
  if (veks.length > 1) return undefined;
  return { vcek: veks[0], chained: ders.filter((der) => !veks.includes(der)) };
}

function isVek(der: Uint8Array): boolean {
  try {
    parseVek(der);
    return true;
  } catch {
    // Verification says what is wrong with it.
    return false;
  }
}
