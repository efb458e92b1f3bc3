/**
 * The documents of networks.
 *
 * @module
 */
import * as z from 'zod';
import { EgressBody, EgressShown } from './a3s/egress.ts';
import { text } from './containers/process.ts';
import type { Document } from './document.ts';

const nothing = z.strictObject({});
const words = z.record(z.string().max(1024), text);

/** A subnet in CIDR notation, or an address; what a client leaves to the server is empty. */
const address = z.string().max(64).default('');

export const NetworkCreateBody = z.strictObject({
  Name: z.string().max(1024).default(''),
  /** Names are never used twice, whether or not it is asked for. */
  CheckDuplicate: z.boolean().default(false),
  Driver: z.string().max(256).default(''),
  Scope: z.string().max(64).default(''),
  EnableIPv4: z.boolean().default(true),
  EnableIPv6: z.boolean().default(false),
  IPAM: z
    .strictObject({
      Driver: z.string().max(256).default(''),
      /** `inspect` shows whether there was a list. */
      Options: words.optional(),
      Config: z
        .array(
          z.strictObject({
            Subnet: address,
            IPRange: address,
            Gateway: address,
            AuxiliaryAddresses: z.record(z.string().max(256), z.string().max(64)).default({}),
          }),
        )
        .max(16)
        .default([]),
    })
    .prefault({}),
  Internal: z.boolean().default(false),
  Attachable: z.boolean().default(false),
  Ingress: z.boolean().default(false),
  ConfigOnly: z.boolean().default(false),
  ConfigFrom: z.strictObject({ Network: z.string().max(1024).default('') }).prefault({}),
  Options: words.default({}),
  Labels: words.default({}),
  Egress: EgressBody.optional(),
});
export type NetworkCreateBody = Document<typeof NetworkCreateBody>;

export const NetworkCreated = z.strictObject({ Id: z.string(), Warning: z.string() });
export type NetworkCreated = Document<typeof NetworkCreated>;

export const Network = z.strictObject({
  Name: z.string(),
  Id: z.string(),
  Created: z.string(),
  Scope: z.literal('local'),
  Driver: z.enum(['bridge', 'null']),
  EnableIPv6: z.boolean(),
  IPAM: z.strictObject({
    Driver: z.literal('default'),
    Options: nothing.nullable(),
    Config: z.array(
      z.strictObject({
        Subnet: z.string(),
        IPRange: z.string().optional(),
        Gateway: z.string(),
        AuxiliaryAddresses: z.record(z.string(), z.string()).optional(),
      }),
    ),
  }),
  Internal: z.boolean(),
  Attachable: z.boolean(),
  Ingress: z.literal(false),
  ConfigFrom: z.strictObject({ Network: z.literal('') }),
  ConfigOnly: z.literal(false),
  /**
   * Running boxes by id; of an inspection alone, and none in `bridge`, where boxes do not see each
   * other.
   */
  Containers: z.record(
    z.string(),
    z.strictObject({
      Name: z.string(),
      EndpointID: z.string(),
      MacAddress: z.string(),
      /** With the length of the subnet's prefix. */
      IPv4Address: z.string(),
      /** Empty in a network without IPv6. */
      IPv6Address: z.string(),
    }),
  ),
  Options: z.record(z.string(), z.string()),
  Labels: z.record(z.string(), z.string()),
  /** Absent where the network has no policy. */
  Egress: EgressShown.optional(),
});
export type Network = Document<typeof Network>;

/** The document that connects a box to a network, or disconnects it. */
export const NetworkConnection = z
  .strictObject({
    Container: z.string().max(1024).default(''),
    /** To connect: as an entry of `EndpointsConfig`. */
    EndpointConfig: z.looseObject({}).nullish(),
    /** To disconnect: also a box that is gone. */
    Force: z.boolean().default(false),
  })
  .nullish();

export const NetworksPruned = z.strictObject({ NetworksDeleted: z.array(z.string()) });
export type NetworksPruned = Document<typeof NetworksPruned>;
