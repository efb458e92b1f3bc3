/**
 * Every field of one entry of `NetworkingConfig.EndpointsConfig`, v1.45, for the same uses as
 * those of the create document.
 *
 * @module
 */
import { type Field, ignored, refused } from './create-field.ts';

export const ENDPOINT_FIELDS: Readonly<Record<string, Field>> = {
  IPAMConfig: refused({ IPv4Address: '10.0.2.20' }),
  Links: refused(['other']),
  Aliases: refused(['alias']),
  NetworkID: ignored('x'),
  EndpointID: ignored('x'),
  Gateway: ignored('10.0.2.2'),
  IPAddress: ignored('10.0.2.20'),
  IPPrefixLen: ignored(24),
  IPv6Gateway: ignored('::1'),
  GlobalIPv6Address: ignored('::1'),
  GlobalIPv6PrefixLen: ignored(64),
  DNSNames: ignored(['x']),
  GwPriority: refused(1),
};
