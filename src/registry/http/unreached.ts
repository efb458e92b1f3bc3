/**
 * A request without an answer: the reason, and whether the same request may be sent again.
 *
 * @module
 */
import { A3sError } from '../../errors.ts';

/** Codes of OpenSSL and Node for a certificate that is not trusted. */
const UNTRUSTED = new Set([
  'CERT_HAS_EXPIRED',
  'CERT_NOT_YET_VALID',
  'CERT_REJECTED',
  'CERT_REVOKED',
  'CERT_SIGNATURE_FAILURE',
  'CERT_UNTRUSTED',
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'ERR_TLS_CERT_ALTNAME_INVALID',
  'HOSTNAME_MISMATCH',
  'INVALID_CA',
  'INVALID_PURPOSE',
  'PATH_LENGTH_EXCEEDED',
  'SELF_SIGNED_CERT_IN_CHAIN',
  'UNABLE_TO_GET_ISSUER_CERT',
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
]);

/** Nothing of the request was sent. */
const UNSENT = new Set([
  'UND_ERR_CONNECT_TIMEOUT',
  'ECONNREFUSED',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'EAI_AGAIN',
]);

/** Nobody there speaks TLS, or nobody is there. */
const NO_TLS = new Set([
  'ECONNREFUSED',
  'ECONNRESET',
  'EPIPE',
  'EPROTO',
  'ERR_SSL_HTTP_REQUEST',
  'ERR_SSL_PACKET_LENGTH_TOO_LONG',
  'ERR_SSL_WRONG_VERSION_NUMBER',
  'UND_ERR_SOCKET',
]);

/** The server speaks another protocol than TLS. */
const SPEAKS_PLAIN = new Set(['ERR_SSL_WRONG_VERSION_NUMBER', 'ERR_SSL_PACKET_LENGTH_TOO_LONG']);

/**
 * With TLS 1.3, a refused client learns of the refusal after its part of the handshake, and often
 * only by the end of the connection.
 */
const CUT = new Set(['ECONNRESET', 'EPIPE', 'UND_ERR_SOCKET']);

const REASONS: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'nothing listens there (connection refused)',
  ECONNRESET: 'the connection was cut',
  EHOSTUNREACH: 'there is no route to it',
  ENETUNREACH: 'there is no route to it',
  ENOTFOUND: 'there is no host of that name',
  EAI_AGAIN: 'its name could not be looked up',
  UND_ERR_CONNECT_TIMEOUT: 'the connection took too long',
  UND_ERR_HEADERS_TIMEOUT: 'it took too long to answer',
  UND_ERR_BODY_TIMEOUT: 'its answer stalled',
  UND_ERR_SOCKET: 'the connection was cut',
  UND_ERR_HEADERS_OVERFLOW: 'the head of its answer is too long',
  ERR_SSL_WRONG_VERSION_NUMBER: 'it does not speak TLS',
  ERR_SSL_PACKET_LENGTH_TOO_LONG: 'it does not speak TLS',
};

export class Unreached extends A3sError {
  /** When the same request may be sent again. */
  readonly again: 'never' | 'if-idempotent' | 'always';
  /** Whether the host may speak http. */
  readonly withoutTls: boolean;

  /** @param host for the message */
  constructor(host: string, cause: unknown) {
    const code = codeOf(cause);
    const untrusted = UNTRUSTED.has(code);
    super('registry-unreachable', `Cannot reach ${host}: ${reason(code, cause)}`, {
      remedy: remedyFor(host, code),
      cause,
    });
    if (untrusted || code === 'ENOTFOUND' || isTlsAlert(code)) this.again = 'never';
    else this.again = UNSENT.has(code) ? 'always' : 'if-idempotent';
    this.withoutTls = NO_TLS.has(code);
  }
}

function reason(code: string, cause: unknown): string {
  if (code === 'ERR_TLS_CERT_ALTNAME_INVALID') return 'its certificate is for another name';
  if (UNTRUSTED.has(code)) return `its certificate is not trusted (${code})`;
  if (isTlsAlert(code)) return `it refused our side of TLS (${code})`;
  const known = REASONS[code];
  if (known !== undefined) return known;
  const text = cause instanceof Error ? cause.message : String(cause);
  return text.replace(/[^\x20-\x7e]+/g, ' ').slice(0, 200);
}

function remedyFor(host: string, code: string): string {
  if (UNTRUSTED.has(code)) {
    return `If its authority is your own, put that authority's certificate into certs.d/${host}/ca.crt.`;
  }
  if (SPEAKS_PLAIN.has(code)) {
    return `If it speaks plain http, and you trust the network, say insecure: true for ${host} in registries.yaml.`;
  }
  if (isTlsAlert(code)) {
    return `If it asks for a client certificate, put it into certs.d/${host}/ as client.cert and client.key.`;
  }
  if (CUT.has(code)) {
    return `Try again; if it is always so, it may want a client certificate: certs.d/${host}/client.cert and client.key.`;
  }
  return 'Check the name, the network and the proxy settings, and try again.';
}

function isTlsAlert(code: string): boolean {
  return code.startsWith('ERR_SSL_') && code.includes('ALERT');
}

function codeOf(cause: unknown): string {
  if (!(cause instanceof Error) || !('code' in cause)) return '';
  return typeof cause.code === 'string' ? cause.code : '';
}
