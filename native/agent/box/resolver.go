package box

import (
	"errors"
	"net"
	"net/netip"
	"strconv"
	"sync"
	"syscall"
	"time"

	"a3s.dev/box/agent/box/layers"
	"a3s.dev/box/agent/box/spec"
	"a3s.dev/box/agent/dns"
	"a3s.dev/box/agent/linux"
	"a3s.dev/box/agent/redirect"
)

// resolverAddress is where Docker's containers find the DNS server.
const resolverAddress = "127.0.0.11"

// The agent listens on the first of these ports that is free, going down. Port 53 is left to DNS
// servers of the box. No port is chosen up here for a connection (ip_local_port_range).
const (
	highestResolverPort = 65053
	resolverPorts       = 64
)

// resolver answers queries of a box that has links. Once it was needed it stays until the box ends:
// programs keep the address of their DNS server in mind.
type resolver struct {
	// redirect leads queries to the port that is listened on.
	redirect func(redirect.Ports) error

	mu     sync.Mutex
	server *dns.Server
	closed bool
}

// resolve has the DNS server of the box know its links, and returns the networks as the files of
// the box are to have them.
func (b *Box) resolve(networks *spec.Networks) (*spec.Networks, error) {
	r := &b.resolver
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return nil, ErrStopping
	}
	linked := networks.Hosts != nil
	switch {
	case r.server != nil:
		r.server.Set(resolverConfig(networks))
	case linked:
		if err := b.startResolver(resolverConfig(networks)); err != nil {
			return nil, layers.NewDeviceError("DNS server", resolverAddress, err)
		}
	}
	if !linked {
		return networks, nil
	}
	shown := *networks
	shown.Nameservers = []string{resolverAddress}
	return &shown, nil
}

// resolverConfig has the links, and the name servers that the box would have without.
func resolverConfig(networks *spec.Networks) *dns.Config {
	servers := make([]netip.Addr, 0, len(networks.Nameservers))
	for _, server := range networks.Nameservers {
		servers = append(servers, netip.MustParseAddr(server))
	}
	config := dns.NewConfig(servers)
	if networks.Hosts != nil {
		for _, host := range *networks.Hosts {
			config.Add(host.Name, netip.MustParseAddr(host.Address))
		}
	}
	return config
}

// startResolver starts the DNS server in the box's network. The caller holds the lock.
func (b *Box) startResolver(config *dns.Config) error {
	ends, err := inNetwork(b, listenForQueries)
	if err != nil {
		return err
	}
	if err = b.resolver.redirect(ends.ports); err != nil {
		return errors.Join(err, ends.packets.Close(), ends.listener.Close())
	}
	b.resolver.server = dns.Serve(ends.packets, ends.listener, b.dialServer, config)
	return nil
}

// queryEnds are the sockets that queries come to, on one port.
type queryEnds struct {
	packets  *net.UDPConn
	listener net.Listener
	ports    redirect.Ports
}

// listenForQueries is called on a thread that is in the box's network.
func listenForQueries() (ends queryEnds, err error) {
	address := netip.MustParseAddr(resolverAddress)
	for number := highestResolverPort; number > highestResolverPort-resolverPorts; number-- {
		served := netip.AddrPortFrom(address, uint16(number))
		if ends.packets, err = net.ListenUDP("udp4", net.UDPAddrFromAddrPort(served)); err == nil {
			if ends.listener, err = net.Listen("tcp4", served.String()); err == nil {
				break
			}
			_ = ends.packets.Close()
		}
		if !errors.Is(err, syscall.EADDRINUSE) {
			return ends, err
		}
	}
	if err != nil {
		return ends, err
	}
	ends.ports = redirect.Ports{Address: address, Asked: dns.Port, Served: ends.packets.LocalAddr().(*net.UDPAddr).AddrPort().Port()}
	if ends.ports.Network, err = networkCookie(ends.packets); err != nil {
		err = errors.Join(err, ends.packets.Close(), ends.listener.Close())
	}
	return ends, err
}

func networkCookie(socket *net.UDPConn) (cookie uint64, err error) {
	raw, err := socket.SyscallConn()
	if err != nil {
		return 0, err
	}
	var failed error
	err = raw.Control(func(fd uintptr) { cookie, failed = linux.NetworkCookie(int(fd)) })
	return cookie, errors.Join(err, failed)
}

// dialServer connects to a name server from the box's network, as Dial does.
func (b *Box) dialServer(network string, server netip.AddrPort, timeout time.Duration) (net.Conn, error) {
	return inNetwork(b, func() (net.Conn, error) {
		dialer := net.Dialer{Timeout: timeout}
		return dialer.Dial(network, net.JoinHostPort(server.Addr().String(), strconv.Itoa(int(server.Port()))))
	})
}

// close ends the DNS server.
func (r *resolver) close() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.closed = true
	if r.server == nil {
		return nil
	}
	return r.server.Close()
}
