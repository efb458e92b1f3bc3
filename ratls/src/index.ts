/**
 * TLS that ends inside an attested guest: a client that verifies it, and a server that shows evidence.
 *
 * @module
 */
export { RATLS_CHECKS, type RatlsCheck, type RatlsCheckCode } from './checks.ts';
export { type RatlsCode, RatlsError, type RatlsErrorDetails } from './errors.ts';
