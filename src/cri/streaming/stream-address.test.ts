import { expect, it } from 'vitest';
import { readStreamAddress } from './stream-address.ts';

const FILES = { cert: '/tls.crt', key: '/tls.key' };

it('listens on a free port of the loopback where nothing is asked for', () => {
  expect(readStreamAddress({})).toEqual({ host: '127.0.0.1', port: 0, tls: undefined });
});

it.each([
  ['127.0.0.1:10010', { host: '127.0.0.1', port: 10010, tls: undefined }],
  ['[::1]:0', { host: '::1', port: 0, tls: undefined }],
])('takes the loopback as %s without a certificate', (address, expected) => {
  expect(readStreamAddress({ address })).toEqual(expected);
});

it('takes an address of the network with a certificate', () => {
  expect(readStreamAddress({ address: '192.0.2.7:10010', ...FILES })).toEqual({
    ...{ host: '192.0.2.7', port: 10010 },
    tls: FILES,
  });
});

it.each([
  [{ address: '192.0.2.7:10010' }, '192.0.2.7 is not the loopback'],
  [{ address: '[2001:db8::1]:1' }, '2001:db8::1 is not the loopback'],
  [{ address: '0.0.0.0:1', ...FILES }, 'no address that a client can connect to'],
  [{ address: '[::]:1', ...FILES }, 'no address that a client can connect to'],
  [{ address: 'localhost:1' }, '"localhost:1" is not an address and a port'],
  [{ address: '127.0.0.1' }, 'is not an address and a port'],
  [{ address: '127.0.0.1:65536' }, 'is not an address and a port'],
  [{ address: '[127.0.0.1]:1' }, 'is not an address and a port'],
  [{ address: '::1:1' }, 'is not an address and a port'],
  [{ cert: '/tls.crt' }, 'a certificate and its key belong together'],
])('refuses %j', (given, reason) => {
  expect(() => readStreamAddress(given)).toThrow(
    expect.objectContaining({
      code: 'invalid-argument',
      message: expect.stringContaining(reason),
      remedy: expect.stringMatching(/\.$/),
    }),
  );
});
