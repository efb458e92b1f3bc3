/**
 * The names of the simulated chain, which cannot be mistaken for AMD's.
 *
 * The attributes stand in the order of AMD's names (OU, C, L, ST, O, CN), so that the same strict
 * parser reads them. `ZZ` is a country code that ISO 3166 leaves to users: no country has it.
 *
 * @module
 */
import type { NameAttribute, NameFields } from '../../certificates/name.ts';

/** Attributes of every simulated name but its common name. */
export const SIMULATED_ORGANIZATION: readonly NameAttribute[] = [
  { type: 'OU', value: 'Simulation' },
  { type: 'C', value: 'ZZ' },
  { type: 'L', value: 'Nowhere' },
  { type: 'ST', value: 'None' },
  { type: 'O', value: 'A3S Box SIMULATED NOT HARDWARE' },
];

/** Common names. */
export const SIMULATED_NAMES = {
  ark: 'SIMULATED-ARK',
  ask: 'SIMULATED-ASK',
  asvk: 'SIMULATED-ASVK',
  vcek: 'SIMULATED-VCEK',
  vlek: 'SIMULATED-VLEK',
} as const;

/** Serial numbers of the authorities, lower-case hexadecimal. */
export const SIMULATED_SERIALS = { ark: '5a0000', ask: '5a0001', asvk: '5a0101' } as const;

/** Where revocation lists would be: `.invalid` never resolves (RFC 6761). */
export const SIMULATED_CRL_URLS = {
  vcek: 'https://simulated.invalid/vcek/v1/crl',
  vlek: 'https://simulated.invalid/vlek/v1/crl',
} as const;

/** What a VLEK of the simulation names as its cloud provider. */
export const SIMULATED_CSP_ID = 'CN=simulated.invalid';

/** The name of one of the chain's keys. */
export function nameOf(key: keyof typeof SIMULATED_NAMES): NameFields {
  return { organization: SIMULATED_ORGANIZATION, commonName: SIMULATED_NAMES[key] };
}
