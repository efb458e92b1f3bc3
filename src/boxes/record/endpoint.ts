/**
 * The place of a box in a user-defined network, as it is on record.
 *
 * @module
 */
import * as z from 'zod';

export const BoxEndpoint = z.strictObject({
  /** Id of the network. */
  network: z.string(),
  /** The network as it was named at create: its name, or a part of its id. */
  name: z.string(),
  /** Names besides its own that the box has in the network. */
  aliases: z.array(z.string()),
  /** The address that was chosen for it. Absent: a free one at each start. */
  address: z.string().optional(),
  /** The IPv6 address that was chosen for it, likewise. */
  address6: z.string().optional(),
  /** The hardware address that was chosen for it. Absent: one at each start. */
  mac: z.string().optional(),
  /** Of the box's networks the one with the highest is its way out. Absent: 0. */
  gatewayPriority: z.int().optional(),
  /** Names that the box alone has for others, each `TARGET:ALIAS`. Absent: none. */
  links: z.array(z.string()).optional(),
  /** Further addresses of its card. Absent: none. */
  linkLocal: z.array(z.string()).optional(),
  /** Options for a driver, for `inspect`: no driver reads them. Absent: none. */
  driverOptions: z.record(z.string(), z.string()).optional(),
});
/** A user-defined network that a box is to be in. */
export type BoxEndpoint = z.infer<typeof BoxEndpoint>;
