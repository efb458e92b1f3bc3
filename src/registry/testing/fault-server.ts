/**
 * A small HTTP server that answers as a test says, and records its requests.
 *
 * @module
 */
import { readFileSync } from 'node:fs';
import {
  createServer as createPlain,
  type IncomingHttpHeaders,
  type IncomingMessage,
  type ServerResponse,
} from 'node:http';
import { createServer as createTls, type ServerOptions } from 'node:https';
import type { AddressInfo } from 'node:net';
import type { TLSSocket } from 'node:tls';
import type { CertificateFiles, TestAuthority } from './test-authority.ts';

export interface SeenRequest {
  readonly method: string;
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  /** Whether the client showed a certificate. */
  readonly certificate: boolean;
}

export interface FaultServer {
  /** `127.0.0.1:PORT`. */
  readonly host: string;
  readonly url: string;
  readonly requests: readonly SeenRequest[];
  stop(): Promise<void>;
}

export type Answer = (request: IncomingMessage, response: ServerResponse) => void;

/** @param tls with client certificates of the authority asked for, not demanded */
export async function startFaultServer(
  answer: Answer,
  tls?: { readonly files: CertificateFiles; readonly authority: TestAuthority },
): Promise<FaultServer> {
  const requests: SeenRequest[] = [];
  const handler = (request: IncomingMessage, response: ServerResponse): void => {
    const { method = '', url: path = '', headers, socket } = request;
    const peer = tls === undefined ? {} : (socket as TLSSocket).getPeerCertificate();
    requests.push({ method, path, headers, certificate: Object.keys(peer).length > 0 });
    answer(request, response);
  };
  const server = tls === undefined ? createPlain(handler) : createTls(tlsOptions(tls), handler);
  server.on('clientError', (_, socket) => socket.destroy());
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const host = `127.0.0.1:${port}`;
  return {
    host,
    url: `${tls === undefined ? 'http' : 'https'}://${host}`,
    requests,
    stop: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

function tlsOptions({
  files,
  authority,
}: {
  files: CertificateFiles;
  authority: TestAuthority;
}): ServerOptions {
  return {
    cert: readFileSync(files.cert),
    key: readFileSync(files.key),
    ca: authority.ca,
    requestCert: true,
    rejectUnauthorized: false,
  };
}
