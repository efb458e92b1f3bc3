import { expect, it } from 'vitest';
import { addressKind } from './address-kind.ts';

it.each([
  ['127.0.0.1', 'loopback'],
  ['127.255.255.254', 'loopback'],
  ['::1', 'loopback'],
  ['0:0:0:0:0:0:0:1', 'loopback'],
  ['::ffff:127.0.0.1', 'loopback'],
  ['::ffff:7f00:1', 'loopback'],
  ['0.0.0.0', 'loopback'],
  ['0.1.2.3', 'loopback'],
  ['::', 'loopback'],
  ['::ffff:0.0.0.0', 'loopback'],
  ['169.254.169.254', 'link-local'],
  ['::ffff:169.254.169.254', 'link-local'],
  ['fe80::1', 'link-local'],
  ['fe80::1%eth0', 'link-local'],
  ['febf::1', 'link-local'],
  ['fec0::1', 'elsewhere'],
  ['10.0.0.1', 'elsewhere'],
  ['192.168.1.1', 'elsewhere'],
  ['::ffff:192.0.2.1', 'elsewhere'],
  ['2001:db8::1', 'elsewhere'],
])('classifies the address %s as %s', (address, kind) => {
  expect(addressKind(address)).toBe(kind);
});
