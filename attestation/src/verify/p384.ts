/**
 * Whether a point lies on P-384 (NIST SP 800-186, 3.2.1.4).
 *
 * Libraries refuse other points when they import the key, each with an error of its own; asked
 * here, the answer has this package's code.
 *
 * @module
 */
import { toHex } from '../hex.ts';
import type { EcKey } from './signature.ts';

const P = 2n ** 384n - 2n ** 128n - 2n ** 96n + 2n ** 32n - 1n;
const B =
  0xb3312fa7e23ee7e4988e056be3f82d19181d9c6efe8141120314088f5013875ac656398d8a2ed19d2a85c8edd3ec2aefn;

/** `y² = x³ - 3x + b`, with both coordinates below the field's prime. */
export function isOnP384({ point }: EcKey): boolean {
  const x = BigInt(`0x${toHex(point.subarray(1, 49))}`);
  const y = BigInt(`0x${toHex(point.subarray(49))}`);
  return x < P && y < P && (x * x * x - 3n * x + B - y * y) % P === 0n;
}
