import { expect, it } from 'vitest';
import type { Endpoint } from './endpoint.ts';
import { netavarkDocument } from './netavark.ts';

const endpoint: Endpoint = {
  box: '1'.repeat(64),
  names: ['web', 'www', 'web', 'alias.one', '_two'],
  network: {
    id: 'ab'.repeat(32),
    subnet: '10.89.1.0/24',
    gateway: '10.89.1.1',
    internal: false,
    mtu: 65_520,
  },
  address: '10.89.1.2',
  mac: '02:00:0a:59:01:02',
  ports: [],
};

it('describes a box and its network to netavark, each name once', () => {
  expect(JSON.parse(netavarkDocument(endpoint))).toEqual({
    container_id: '1'.repeat(64),
    container_name: 'web',
    port_mappings: [],
    networks: {
      abababababab: {
        static_ips: ['10.89.1.2'],
        static_mac: '02:00:0a:59:01:02',
        aliases: ['www', 'alias.one', '_two'],
        interface_name: 'eth0',
      },
    },
    network_info: {
      abababababab: {
        name: 'abababababab',
        id: 'ab'.repeat(32),
        driver: 'bridge',
        network_interface: 'brabababababab',
        subnets: [{ subnet: '10.89.1.0/24', gateway: '10.89.1.1' }],
        ipv6_enabled: false,
        internal: false,
        dns_enabled: true,
        network_dns_servers: ['169.254.1.1'],
        ipam_options: { driver: 'host-local' },
        options: { mtu: '65520', isolate: 'strict' },
      },
    },
  });
});

it('asks the servers of a box for names that are of no box', () => {
  const document = JSON.parse(netavarkDocument({ ...endpoint, nameservers: ['9.9.9.9'] }));
  expect(document.dns_servers).toEqual(['9.9.9.9']);
});

it.each(['a b', 'a,b', 'a\n10.0.0.1 b', '', '-a', 'ä'])(
  'refuses the name %j, which would be more than one in the DNS server’s files',
  (name) => {
    const names = ['web', name];
    expect(() => netavarkDocument({ ...endpoint, names })).toThrow(
      expect.objectContaining({ code: 'invalid-argument' }),
    );
  },
);
