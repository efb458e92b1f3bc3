package dns

import (
	"net/netip"
	"strings"
)

// Port is that of name servers.
const Port = 53

// maxServers is as many as resolvers ask.
const maxServers = 3

// Config is what a server knows. Nothing of it changes.
type Config struct {
	names   map[string][]netip.Addr
	servers []netip.AddrPort
}

// NewConfig makes one. Servers beyond the third are not asked.
func NewConfig(servers []netip.Addr) *Config {
	c := &Config{names: map[string][]netip.Addr{}}
	for _, server := range servers[:min(len(servers), maxServers)] {
		c.servers = append(c.servers, netip.AddrPortFrom(server, Port))
	}
	return c
}

// Add gives a name one more address. Case, and a dot at the end, make no other name.
func (c *Config) Add(name string, address netip.Addr) {
	name = strings.TrimSuffix(strings.ToLower(name), ".")
	if name != "" {
		c.names[name] = append(c.names[name], address.Unmap())
	}
}

// find returns the addresses of a name of this box alone.
func (c *Config) find(q question) ([]netip.Addr, bool) {
	if q.class != classInternet {
		return nil, false
	}
	addresses, found := c.names[q.name]
	return addresses, found
}
