/**
 * SEV-SNP attestation in a browser: the same as the main entry, on WebCrypto alone.
 *
 * `verify` gives a promise here. Envelopes have an entry of their own, which runs in a browser too,
 * and so does the parser of policies, `@a3s-box/policies/attestation-policy`. What needs files, the
 * network or secret keys (endorsements, measurement, the simulated secure processor) is not in this
 * entry.
 *
 * @module
 */
export * from './common.ts';
export { verify } from './verify/verify-web.ts';
