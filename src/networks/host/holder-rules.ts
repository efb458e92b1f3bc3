/**
 * The rules of the namespace that has the bridges, in the words of nft.
 *
 * @module
 */

/**
 * A box reaches the DNS server at the address of its own network, and no other address of the
 * holder. Neighbour discovery is that of the namespaces of boxes, and never of guests. The rules
 * are loaded as a whole, in place of those that are there.
 */
export const HOLDER_RULES = `table inet holder {}
delete table inet holder
table inet holder {
chain to_holder { type filter hook input priority filter; policy accept;
iifname "br*" icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert } accept
iifname "br*" fib daddr . iif type != local drop
}
}
`;
