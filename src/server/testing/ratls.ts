/**
 * The RA-TLS server of a guest, for tests: TLS and HTTP/2 as an agent has them, and an answer that
 * the test chooses.
 *
 * @module
 */
import { createSecureServer, type ServerHttp2Stream } from 'node:http2';
import { type AddressInfo, connect } from 'node:net';
import type { TLSSocket } from 'node:tls';
import type { CertificateFiles } from '../../registry/testing/test-authority.ts';

export interface Challenge {
  readonly nonce: Buffer;
  /** Of the session, as the guest has it. */
  readonly exporter: Buffer;
}

export interface RatlsServer {
  /** Serves one connection. */
  readonly serve: (stream: ServerHttp2Stream) => void;
  close(): void;
}

/** @param answer the body of an answer, or a status */
export async function ratlsServer(
  { cert, key }: CertificateFiles,
  answer: (challenge: Challenge) => string | number,
): Promise<RatlsServer> {
  const server = createSecureServer({ cert, key, minVersion: 'TLSv1.3' });
  server.on('stream', (request) => {
    const chunks: Buffer[] = [];
    request.on('error', () => undefined);
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.once('end', () => {
      const body = JSON.parse(Buffer.concat(chunks).toString()) as { readonly nonce: string };
      const nonce = Buffer.from(body.nonce, 'base64');
      const socket = request.session?.socket as TLSSocket;
      const exporter = socket.exportKeyingMaterial(32, 'EXPORTER-a3s-box-attest-v1', nonce);
      const said = answer({ nonce, exporter });
      request.respond({ ':status': typeof said === 'number' ? said : 200 });
      request.end(typeof said === 'number' ? '' : said);
    });
  });
  server.on('sessionError', () => undefined);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    serve: (stream) => {
      const socket = connect(port, '127.0.0.1');
      socket.on('error', () => stream.close());
      stream.on('close', () => socket.destroy());
      stream.pipe(socket).pipe(stream);
    },
    close: () => server.close(),
  };
}
