/**
 * The broker over RA-TLS, where it is a confidential box: who connects has it prove that, before
 * anything else.
 *
 * The agents of boxes know a broker by the key of its TLS listener. Here a relying party that has
 * verified the broker reads which key that is.
 *
 * @module
 */
import { createHash, X509Certificate } from 'node:crypto';
import { agentEvidence, RatlsError, type RatlsServer, serve } from '@a3s-box/ratls';
import { A3sError } from '../../errors.ts';
import { GUEST_CONNECTIONS, IDLE_MS, type ListenAddress, REQUEST_MS } from '../http/listener.ts';
import { type KbsOptions, kbsFetch } from './kbs-app.ts';

export interface RatlsOptions {
  readonly address: ListenAddress;
  /** The socket of the agent. */
  readonly socket: string;
  /** Of the TLS listener for guests, PEM. */
  readonly certificate: Buffer;
  readonly kbs: KbsOptions;
}

const GUESTS_KEY = '/a3s/v1/guests-key';
const CONNECTIONS = 256;
/** As many requests are held at once as by the other listener for guests. */
const LIMITS = {
  connections: CONNECTIONS,
  streams: GUEST_CONNECTIONS.connections / CONNECTIONS,
  request: REQUEST_MS,
  idle: IDLE_MS,
  client: {
    connections: GUEST_CONNECTIONS.connectionsOfClient,
    attestations: { burst: 16, perSecond: 4 },
  },
};

/** @throws A3sError `broker-config` where it cannot listen, or there is no agent */
export async function openRatlsListener(options: RatlsOptions): Promise<RatlsServer> {
  const { address, socket: socketPath, certificate, kbs } = options;
  const { host, port } = address;
  const sha256 = pinOf(certificate);
  const answer = kbsFetch(kbs);
  const fetch = async (
    request: Request,
    { remoteAddress }: { readonly remoteAddress: string | undefined },
  ): Promise<Response> => {
    const { pathname } = new URL(request.url);
    if (request.method === 'GET' && pathname === GUESTS_KEY) return Response.json({ sha256 });
    return answer(request, remoteAddress);
  };
  try {
    const evidence = agentEvidence({ socketPath });
    return await serve({ fetch }, { evidence, host, port, limits: LIMITS });
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    const remedy = cause instanceof RatlsError ? cause.remedy : undefined;
    const message = `Cannot serve over RA-TLS on ${host}:${port}: ${reason}`;
    throw new A3sError('broker-config', message, { remedy, cause });
  }
}

/** As boxes have it: SHA-256 of the public key. */
function pinOf(certificate: Buffer): string {
  const { publicKey } = new X509Certificate(certificate);
  const der = publicKey.export({ type: 'spki', format: 'der' });
  return createHash('sha256').update(der).digest('hex');
}
