/**
 * Networks and build caches, as far as there are any.
 *
 * @module
 */
import * as z from 'zod';
import type { Document } from './document.ts';

const nothing = z.strictObject({});
const none = z.array(z.never());

export const Network = z.strictObject({
  Name: z.enum(['bridge', 'none']),
  Id: z.string(),
  Created: z.string(),
  Scope: z.literal('local'),
  Driver: z.enum(['bridge', 'null']),
  EnableIPv6: z.literal(false),
  IPAM: z.strictObject({
    Driver: z.literal('default'),
    Options: z.null(),
    Config: z.array(z.strictObject({ Subnet: z.string(), Gateway: z.string() })),
  }),
  Internal: z.literal(false),
  Attachable: z.literal(false),
  Ingress: z.literal(false),
  ConfigFrom: z.strictObject({ Network: z.literal('') }),
  ConfigOnly: z.literal(false),
  /** Boxes do not see each other in it. */
  Containers: nothing,
  Options: nothing,
  Labels: nothing,
});
export type Network = Document<typeof Network>;

/** The document that connects a box to a network, or disconnects it. */
export const NetworkConnection = z
  .looseObject({ Container: z.string().max(1024).default('') })
  .nullish();

export const NetworksPruned = z.strictObject({ NetworksDeleted: none });

export const CachesPruned = z.strictObject({ CachesDeleted: none, SpaceReclaimed: z.literal(0) });
