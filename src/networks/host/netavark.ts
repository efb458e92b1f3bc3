/**
 * Bridges and names, by netavark and its DNS server aardvark-dns: documents and calls.
 *
 * @module
 */
import { join } from 'node:path';
import { A3sError } from '../../errors.ts';
import type { Endpoint } from './endpoint.ts';
import { runProgram } from './run-program.ts';

/** The device of a box's namespace that is in the network. */
export const UPLINK = 'eth0';
/** Where the holder's way out forwards questions about names to the host's resolver. */
export const RESOLVER = '169.254.1.1';
/**
 * What netavark starts in place of its DNS server, which is started elsewhere. netavark tells one
 * that runs already of new names.
 */
const NO_SERVER = '/bin/true';
/** aardvark's files separate names by commas, spaces and lines. */
const DNS_NAME = /^[A-Za-z0-9_][A-Za-z0-9_.-]{0,252}$/;

/** Where its files are, and the namespace that holds the bridges. */
export interface NetavarkPlace {
  readonly directory: string;
  readonly holder: string;
}

/** The document that `setup` and `teardown` read. */
export function netavarkDocument(endpoint: Endpoint): string {
  const { box, names, network, address, address6, mac, nameservers = [] } = endpoint;
  const { ipv6 } = network;
  const bad = names.find((name) => !DNS_NAME.test(name));
  if (bad !== undefined) {
    throw new A3sError('invalid-argument', `Cannot give a box the name ${JSON.stringify(bad)}`, {
      remedy: 'Use letters, digits, and _ . - in names of boxes in a network.',
    });
  }
  const [name = '', ...aliases] = [...new Set(names)];
  const short = network.id.slice(0, 12);
  return JSON.stringify({
    container_id: box,
    container_name: name,
    port_mappings: [],
    ...(nameservers.length === 0 ? {} : { dns_servers: nameservers }),
    networks: {
      [short]: {
        static_ips: [address, ...(address6 === undefined ? [] : [address6])],
        static_mac: mac,
        aliases,
        interface_name: UPLINK,
      },
    },
    network_info: {
      [short]: {
        name: short,
        id: network.id,
        driver: 'bridge',
        network_interface: `br${short}`,
        subnets: [
          { subnet: network.subnet, gateway: network.gateway },
          ...(ipv6 === undefined ? [] : [{ ...ipv6 }]),
        ],
        ipv6_enabled: ipv6 !== undefined,
        internal: network.internal,
        dns_enabled: true,
        network_dns_servers: [RESOLVER],
        ipam_options: { driver: 'host-local' },
        // No box of one network reaches a box of another.
        options: { mtu: String(network.mtu), isolate: 'strict' },
      },
    },
  });
}

/** Puts the namespace into the network. */
export async function netavarkSetup(
  place: NetavarkPlace,
  document: string,
  namespace: string,
): Promise<void> {
  await netavark(place, 'setup', document, namespace);
}

/** Takes the namespace, which still has its name, out of the network. */
export async function netavarkTeardown(
  place: NetavarkPlace,
  document: string,
  namespace: string,
): Promise<void> {
  await netavark(place, 'teardown', document, namespace);
}

async function netavark(
  { directory, holder }: NetavarkPlace,
  verb: 'setup' | 'teardown',
  document: string,
  namespace: string,
): Promise<void> {
  const args = ['--config', join(directory, 'netavark'), '--aardvark-binary', NO_SERVER];
  await runProgram('netavark', [...args, '--firewall-driver', 'nftables', verb, namespace], {
    namespace: holder,
    input: document,
    // The DNS server reads what it writes, in a directory that root and the DNS server alone enter.
    umask: '022',
  });
}
