/**
 * SEV-SNP attestation in a browser: the same as the main entry, on WebCrypto alone.
 *
 * `verify` gives a promise here. What needs files, the network or secret keys (endorsements,
 * measurement, the simulated secure processor) is not in this entry.
 *
 * @module
 */
export * from './common.ts';
export { verify } from './verify/verify-web.ts';
