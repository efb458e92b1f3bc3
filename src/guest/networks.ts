/**
 * The networks of a box that runs, as its agent is told of them.
 *
 * @module
 */
import * as z from 'zod';

const device = z.string().regex(/^eth\d{1,2}$/);

export const GuestNetworks = z.strictObject({
  cards: z.array(
    z.strictObject({
      /** What the box calls it. */
      device,
      /** By which the agent finds a card that is new. */
      mac: z.string(),
      mtu: z.int(),
      address: z.ipv4(),
      prefixLength: z.int().min(1).max(32),
      /** Absent: none. Protocol 13. */
      ipv6: z
        .strictObject({
          address: z.ipv6(),
          prefixLength: z.int().min(1).max(127),
          /** The way to the prefix, by a hardware address that the guest asks nobody for. */
          router: z.ipv6(),
          routerMac: z.string(),
        })
        .optional(),
      /** Further addresses, without a route. Absent: none. Protocol 15. */
      linkLocal: z.array(z.ipv4()).max(16).optional(),
    }),
  ),
  /** Where everything else goes. Absent: nowhere. */
  gateway: z.strictObject({ device, address: z.ipv4() }).optional(),
  nameservers: z.array(z.ipv4()).max(16),
  search: z.array(z.string()).max(32),
  options: z.array(z.string()).max(32).optional(),
  /**
   * Lines of `/etc/hosts` for other boxes, in place of those that came before. Since protocol 17
   * the box has a DNS server of its own then, which knows them too, and asks `nameservers` for all
   * else. Absent: none. Protocol 11.
   */
  hosts: z
    .array(z.strictObject({ name: z.string(), address: z.union([z.ipv4(), z.ipv6()]) }))
    .max(256)
    .optional(),
});
/** All that a box has of networks, besides its loopback device. */
export type GuestNetworks = z.infer<typeof GuestNetworks>;
