/**
 * Every field of one entry of `NetworkingConfig.EndpointsConfig`, v1.45, for the same uses as
 * those of the create document.
 *
 * @module
 */
import { type Field, refused } from './create-field.ts';

export const ENDPOINT_FIELDS: Readonly<Record<string, Field>> = {
  IPAMConfig: refused({ IPv4Address: '10.0.2.20' }),
  Links: refused(['other']),
  Aliases: refused(['alias']),
  NetworkID: refused('x'),
  EndpointID: refused('x'),
  Gateway: refused('10.0.2.2'),
  IPAddress: refused('10.0.2.20'),
  IPPrefixLen: refused(24),
  IPv6Gateway: refused('::1'),
  GlobalIPv6Address: refused('::1'),
  GlobalIPv6PrefixLen: refused(64),
  DriverOpts: refused({ a: 'b' }),
  DNSNames: refused(['x']),
  GwPriority: refused(1),
};
