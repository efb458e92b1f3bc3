package dns

import (
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// maxUDPBytes bounds a message by UDP, in both directions. What is more goes by TCP.
	maxUDPBytes = 4096
	// maxQueries bounds the queries that wait for name servers.
	maxQueries = 256
	// maxConnections bounds the connections of clients, each of which has one query at a time.
	maxConnections = 32
	// clientTime bounds the wait for a client: for its next query, and until it takes an answer.
	clientTime = 10 * time.Second
)

// Server answers the programs of a box.
type Server struct {
	config     atomic.Pointer[Config]
	dial       Dial
	serverTime time.Duration

	packets  net.PacketConn
	listener net.Listener
	// queries and connections hold a place for each.
	queries, connections chan struct{}
	// turn is the place at which the addresses of a name begin, so that clients use all of them.
	turn atomic.Uint32

	mu     sync.Mutex
	open   map[net.Conn]struct{}
	closed bool
	work   sync.WaitGroup
}

// Serve answers what comes from two sockets, which are the server's from then on.
func Serve(packets net.PacketConn, listener net.Listener, dial Dial, config *Config) *Server {
	return serve(packets, listener, dial, config, serverTime)
}

func serve(packets net.PacketConn, listener net.Listener, dial Dial, config *Config, serverTime time.Duration) *Server {
	s := &Server{
		dial: dial, serverTime: serverTime, packets: packets, listener: listener, open: map[net.Conn]struct{}{},
		queries: make(chan struct{}, maxQueries), connections: make(chan struct{}, maxConnections),
	}
	s.config.Store(config)
	s.work.Add(2)
	go s.servePackets()
	go s.serveConnections()
	return s
}

// Set replaces what the server knows, for queries from then on.
func (s *Server) Set(config *Config) { s.config.Store(config) }

// Close ends the server. Nothing waits for queries that are with name servers; nobody gets their
// answers.
func (s *Server) Close() error {
	s.mu.Lock()
	s.closed = true
	for conn := range s.open {
		_ = conn.Close()
	}
	s.mu.Unlock()
	err := s.packets.Close()
	if failed := s.listener.Close(); err == nil {
		err = failed
	}
	s.work.Wait()
	return err
}

func (s *Server) servePackets() {
	defer s.work.Done()
	buffer := make([]byte, maxUDPBytes+1)
	for {
		n, client, err := s.packets.ReadFrom(buffer)
		if err != nil {
			if s.isClosed() {
				return
			}
			// Of a client that is gone, and of memory that is short.
			time.Sleep(time.Millisecond)
			continue
		}
		if n > maxUDPBytes {
			continue
		}
		answer, q, asked, known := s.answer(buffer[:n], maxPlainBytes)
		if known {
			s.send(answer, client)
			continue
		}
		query := append([]byte(nil), buffer[:n]...)
		select {
		case s.queries <- struct{}{}:
			go func() {
				defer func() { <-s.queries }()
				s.send(s.forward(query, asked, q, "udp4"), client)
			}()
		default:
			s.send(reply(query, asked, q.end, rcodeRefused), client)
		}
	}
}

// send answers by UDP, by which answers may be lost.
func (s *Server) send(answer []byte, client net.Addr) {
	if answer != nil {
		_, _ = s.packets.WriteTo(answer, client)
	}
}

// answer answers what needs no name server; known is false for all else. What is no query at all
// has no answer, so that no two servers answer each other for ever.
func (s *Server) answer(query []byte, limit int) (answer []byte, q question, asked header, known bool) {
	asked, ok := readHeader(query)
	switch {
	case !ok || asked.flags&flagResponse != 0:
		return nil, q, asked, true
	case asked.flags&opcodeMask != 0:
		return reply(query, asked, 0, rcodeNotImplemented), q, asked, true
	case asked.questions != 1:
		return reply(query, asked, 0, rcodeFormatError), q, asked, true
	}
	if q, ok = readQuestion(query); !ok {
		return reply(query, asked, 0, rcodeFormatError), q, asked, true
	}
	addresses, found := s.config.Load().find(q)
	if !found {
		return nil, q, asked, false
	}
	return appendAddresses(reply(query, asked, q.end, 0), q, s.inTurn(addresses), limit), q, asked, true
}

// inTurn has every address be the first of some answers.
func (s *Server) inTurn(addresses []netip.Addr) []netip.Addr {
	if len(addresses) < 2 {
		return addresses
	}
	first := int(s.turn.Add(1) % uint32(len(addresses)))
	return append(append(make([]netip.Addr, 0, len(addresses)), addresses[first:]...), addresses[:first]...)
}

func (s *Server) serveConnections() {
	defer s.work.Done()
	for {
		conn, err := s.listener.Accept()
		if err != nil {
			if s.isClosed() {
				return
			}
			time.Sleep(time.Millisecond)
			continue
		}
		select {
		case s.connections <- struct{}{}:
			go func() {
				defer func() { <-s.connections }()
				s.serveConnection(conn)
			}()
		default:
			_ = conn.Close()
		}
	}
}

// serveConnection answers one query after the other.
func (s *Server) serveConnection(conn net.Conn) {
	defer conn.Close()
	if !s.keep(conn) {
		return
	}
	defer s.forget(conn)
	var buffer []byte
	for {
		if conn.SetDeadline(time.Now().Add(clientTime)) != nil {
			return
		}
		query, err := readMessage(conn, buffer)
		if err != nil {
			return
		}
		buffer = query
		answer, q, asked, known := s.answer(query, maxTCPBytes)
		if !known {
			answer = s.forward(query, asked, q, "tcp4")
		}
		if answer == nil || conn.SetDeadline(time.Now().Add(clientTime)) != nil || writeMessage(conn, answer) != nil {
			return
		}
	}
}

func (s *Server) keep(conn net.Conn) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.open[conn] = struct{}{}
	return !s.closed
}

func (s *Server) forget(conn net.Conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.open, conn)
}

func (s *Server) isClosed() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.closed
}
