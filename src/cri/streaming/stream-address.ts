/**
 * Where the streaming server listens.
 *
 * @module
 */
import { BlockList, isIP } from 'node:net';
import { A3sError } from '../../errors.ts';

export interface StreamAddress {
  readonly host: string;
  /** 0: any that is free. */
  readonly port: number;
  /** Files in PEM; absent: what passes is not encrypted. */
  readonly tls?: { readonly cert: string; readonly key: string } | undefined;
}

/** Kubelet is on the same host. */
export const LOOPBACK: StreamAddress = { host: '127.0.0.1', port: 0 };

const LAST_PORT = 65_535;
const ADDRESS = /^(?:\[([0-9A-Fa-f:.]+)\]|([0-9.]+)):([0-9]{1,5})$/;
const UNSPECIFIED = new BlockList();
UNSPECIFIED.addSubnet('0.0.0.0', 8);
UNSPECIFIED.addAddress('::', 'ipv6');
const OWN = new BlockList();
OWN.addSubnet('127.0.0.0', 8);
OWN.addAddress('::1', 'ipv6');

/**
 * Reads the values of `--cri-stream-address`, `--cri-stream-cert` and `--cri-stream-key`.
 *
 * @throws A3sError `invalid-argument`, also for an address of the network without certificates: who
 * reads what passes there has the terminals of containers
 */
export function readStreamAddress(given: {
  readonly address?: string | undefined;
  readonly cert?: string | undefined;
  readonly key?: string | undefined;
}): StreamAddress {
  const { cert, key } = given;
  if ((cert === undefined) !== (key === undefined)) {
    throw refused(
      'a certificate and its key belong together',
      'Give both --cri-stream-cert and --cri-stream-key, or neither.',
    );
  }
  const tls = cert === undefined || key === undefined ? undefined : { cert, key };
  if (given.address === undefined) return { ...LOOPBACK, tls };
  const [, ipv6, ipv4, number = ''] = ADDRESS.exec(given.address) ?? [];
  const host = ipv6 ?? ipv4 ?? '';
  const family = isIP(host);
  const port = Number(number);
  if (family !== (ipv6 === undefined ? 4 : 6) || port > LAST_PORT) {
    throw refused(
      `${JSON.stringify(given.address.slice(0, 128))} is not an address and a port`,
      'Write it as 127.0.0.1:10010 or [::1]:10010; port 0 is any that is free.',
    );
  }
  const of = family === 6 ? 'ipv6' : 'ipv4';
  if (UNSPECIFIED.check(host, of)) {
    throw refused(
      `${host} is no address that a client can connect to`,
      'Name one address of the node: URLs have it.',
    );
  }
  if (!OWN.check(host, of) && tls === undefined) {
    throw refused(
      `${host} is not the loopback, and what passes is not encrypted`,
      'Give --cri-stream-cert and --cri-stream-key, or listen on 127.0.0.1.',
    );
  }
  return { host, port, tls };
}

export function refused(reason: string, remedy: string): A3sError {
  return new A3sError('invalid-argument', `Cannot serve streams of CRI: ${reason}`, { remedy });
}
