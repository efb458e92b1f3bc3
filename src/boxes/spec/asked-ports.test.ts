import { expect, it } from 'vitest';
import type { Port } from '../record/box.ts';
import { askedPorts } from './asked-ports.ts';

const named = { boxPort: 80, protocol: 'tcp', hostIp: '127.0.0.1', hostPort: 8080 } as const;
const box = {
  ...{ network: 'default' as const, ports: [named], publishAll: true },
  exposedPorts: ['80/tcp', '80/udp', '443/tcp'],
};

it('publishes with -P what is exposed and has no port of the host yet', () => {
  expect(askedPorts(box)).toEqual([
    named,
    { boxPort: 80, protocol: 'udp', hostIp: '', hostPort: 0 },
    { boxPort: 443, protocol: 'tcp', hostIp: '', hostPort: 0 },
  ]);
  expect(askedPorts({ ...box, publishAll: false })).toEqual([named]);
  expect(askedPorts({ ...box, ports: [], network: 'none' })).toEqual([]);
});

it('refuses -P where an exposed port cannot be published', () => {
  expect(() => askedPorts({ ...box, exposedPorts: ['5/sctp'] })).toThrow(
    expect.objectContaining({ code: 'unsupported-option' }),
  );
});

it('refuses one host port for two ports of the box, at any addresses', () => {
  const other = { ...named, hostIp: '192.0.2.5', boxPort: 9000 };
  const ask = (more: Port) => askedPorts({ ...box, publishAll: false, ports: [named, more] });
  expect(() => ask(other)).toThrow(expect.objectContaining({ code: 'invalid-argument' }));
  for (const fits of [
    { ...other, boxPort: 80 },
    { ...other, protocol: 'udp' as const },
    { ...other, hostPort: 8081 },
    { ...other, hostPortEnd: 8082 },
  ]) {
    expect(ask(fits)).toHaveLength(2);
  }
});

it('bounds what -P adds', () => {
  const exposedPorts = Array.from({ length: 1024 }, (_, at) => `${at + 1}/udp`);
  expect(askedPorts({ ...box, ports: [], exposedPorts })).toHaveLength(1024);
  expect(() => askedPorts({ ...box, exposedPorts })).toThrow(
    expect.objectContaining({ code: 'invalid-argument' }),
  );
});
