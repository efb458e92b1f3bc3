/**
 * A TLS 1.3 connection to an unverified peer. The peer has shown a key and a certificate; nothing
 * else is known yet.
 *
 * @module
 */
import type { Duplex } from 'node:stream';
import { connect, type TLSSocket } from 'node:tls';
import { type OpenedCertificate, openPeerCertificate } from '../certificate/peer-certificate.ts';
import type { RatlsCheckCode } from '../checks.ts';
import { RatlsError } from '../errors.ts';
import { interruption } from './interruption.ts';

/**
 * The peer: an address, or a stream to it. The stream ends with the session, or when no session
 * results.
 */
export type Endpoint =
  | { readonly host: string; readonly port: number; readonly socket?: undefined }
  | { readonly socket: Duplex; readonly host?: undefined; readonly port?: undefined };

export interface TlsConnection {
  readonly socket: TLSSocket;
  readonly certificate: OpenedCertificate;
}

/**
 * Opens a connection and reads the certificate.
 *
 * @throws {RatlsError} `unreachable`, `timeout`, `aborted`, and the checks from `tls-version` to
 * `certificate-signature`
 */
export async function openTlsConnection(
  endpoint: Endpoint,
  signal: AbortSignal,
): Promise<TlsConnection> {
  const socket = connect({
    ...(endpoint.socket === undefined
      ? { host: endpoint.host, port: endpoint.port }
      : { socket: endpoint.socket }),
    minVersion: 'TLSv1.3',
    maxVersion: 'TLSv1.3',
    ALPNProtocols: ['h2'],
    // The host that forwards the bytes learns no name.
    servername: '',
    // No authority vouches for a guest's certificate: the challenge decides, and before it nothing
    // is sent.
    rejectUnauthorized: false,
  });
  // A peer may break the connection while no caller waits. Without a handler, that error would end
  // the process.
  socket.on('error', () => socket.destroy());
  try {
    await secured(socket, signal);
    return { socket, certificate: peerOf(socket) };
  } catch (error) {
    socket.destroy();
    throw error;
  }
}

function secured(socket: TLSSocket, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const give = (error: RatlsError) => {
      finish();
      reject(error);
    };
    const onSecure = () => {
      finish();
      resolve();
    };
    const onError = (error: NodeJS.ErrnoException) => give(failureOf(error));
    const onClose = () => give(failureOf(new Error('it hung up')));
    const onAbort = () => give(interruption(signal));
    const finish = () => {
      socket.off('secureConnect', onSecure).off('error', onError).off('close', onClose);
      signal.removeEventListener('abort', onAbort);
    };
    socket.once('secureConnect', onSecure).once('error', onError).once('close', onClose);
    signal.addEventListener('abort', onAbort, { once: true });
    if (signal.aborted) onAbort();
  });
}

function peerOf(socket: TLSSocket): OpenedCertificate {
  agree('tls-version', 'TLSv1.3', socket.getProtocol() ?? 'none');
  agree(
    'tls-resumed',
    'a new session',
    socket.isSessionReused() ? 'a resumed one' : 'a new session',
  );
  agree('alpn', 'h2', socket.alpnProtocol || 'none');
  const certificate = socket.getPeerX509Certificate();
  const chain = certificate?.issuerCertificate;
  if (certificate === undefined || (chain && !chain.raw.equals(certificate.raw))) {
    const found = certificate === undefined ? 'none' : 'a chain';
    throw new RatlsError(
      'certificate-encoding',
      'Cannot accept the peer: it must show one certificate.',
      {
        expected: 'one certificate',
        found,
        remedy: "Ask the box's operator what listens at this address.",
      },
    );
  }
  return openPeerCertificate(certificate.raw);
}

function agree(code: RatlsCheckCode, expected: string, found: string): void {
  if (found === expected) return;
  throw new RatlsError(
    code,
    `Cannot accept the peer: ${expected} is needed, ${found} was agreed upon.`,
    {
      expected,
      found,
      remedy: 'Name the port of the box that speaks RA-TLS.',
    },
  );
}

/**
 * OpenSSL's codes for peers without a common version or protocol, and for a signature by another
 * key.
 */
const REFUSALS: ReadonlyMap<string, RatlsCheckCode> = new Map([
  ['ERR_SSL_TLSV1_ALERT_PROTOCOL_VERSION', 'tls-version'],
  ['ERR_SSL_UNSUPPORTED_PROTOCOL', 'tls-version'],
  ['ERR_SSL_WRONG_VERSION_NUMBER', 'tls-version'],
  ['ERR_SSL_PACKET_LENGTH_TOO_LONG', 'tls-version'],
  ['ERR_SSL_TLSV1_ALERT_NO_APPLICATION_PROTOCOL', 'alpn'],
  ['ERR_SSL_BAD_SIGNATURE', 'tls-key'],
]);

function failureOf(cause: NodeJS.ErrnoException): RatlsError {
  const refusal = REFUSALS.get(cause.code ?? '');
  const remedy = 'Name the port of the box that speaks RA-TLS, and see whether the box runs.';
  const details = { remedy, cause };
  if (refusal !== undefined) {
    const message =
      refusal === 'tls-key'
        ? 'Cannot accept the peer: it shows a certificate, and has not its key.'
        : 'Cannot accept the peer: it does not speak HTTP/2 over TLS 1.3.';
    return new RatlsError(refusal, message, details);
  }
  return new RatlsError('unreachable', `Cannot reach the peer: ${cause.message}.`, details);
}
