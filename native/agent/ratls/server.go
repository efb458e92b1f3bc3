// Package ratls is the guest's end of RA-TLS: TLS whose certificate has evidence within, and an API
// over which a relying party has the guest prove itself, and injects secrets. openapi.json
// describes the API, docs/development/guest-ratls-api.md how it is used.
//
// The host sees bytes and nothing else. Every client is a stranger: everything is bounded.
package ratls

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"log"
	"math/rand/v2"
	"net"
	"net/http"
	"slices"
	"time"

	"a3s.dev/box/agent/evidence"
	"a3s.dev/box/agent/sealing"
	"a3s.dev/box/agent/secrets"
)

// protocol is the protocol that both ends have to speak.
const protocol = "h2"

// Bounds of HTTP/2 connections.
const (
	maxHeaderBytes = 8 << 10
	maxStreams     = 4
	maxFrame       = 16 << 10
	// The largest body of the API fits.
	maxReceive = 128 << 10
)

// bounds limit what strangers may use.
type bounds struct {
	connections int
	// protect is how long a connection is not closed in favour of another one, and hello how long
	// one without a ClientHello is not.
	protect, hello time.Duration
	// What a peer can have us wait for: its handshake, its first challenge, a request, an answer to
	// be taken, and nothing.
	handshake, attest, request, answer, idle time.Duration
	// What one connection may ask for.
	attests, injections rate
}

type rate struct{ size, perSecond float64 }

var usual = bounds{
	connections: 64,
	// Longer than a relying party takes from the beginning to an injected secret. Places become
	// free at 64 in this time.
	protect:   2500 * time.Millisecond,
	hello:     time.Second,
	handshake: 10 * time.Second,
	attest:    30 * time.Second,
	request:   30 * time.Second,
	// The secure processor is waited for up to a minute.
	answer: 90 * time.Second,
	idle:   2 * time.Minute,
	// A few reports, and as many secrets as a box can have.
	attests:    rate{4, 1},
	injections: rate{80, 4},
}

// Errors of connections.
var (
	errProtocol = errors.New("the peer does not speak h2 over TLS 1.3")
	// ErrTooMany is a connection that there is no place for.
	ErrTooMany = errors.New("there are too many RA-TLS connections")
)

// Config has the box and the services of a server.
type Config struct {
	Evidence *evidence.Source
	Secrets  *secrets.Store
	Sealer   *sealing.Sealer
	// Sealers are the SHA-256 digests of the keys that may seal and unseal, in hexadecimal digits.
	Sealers []string
}

// Server serves RA-TLS. Its key and certificate are as old as itself.
type Server struct {
	config Config
	bounds bounds
	tls    *tls.Config
	// spki is the key's, in DER.
	spki     []byte
	limiter  limiter
	http     *http.Server
	accepted chan net.Conn
	done     chan struct{}
}

// New draws a key, and asks the secure processor for the evidence of its certificate.
func New(config Config) (*Server, error) { return newServer(config, usual) }

func newServer(config Config, b bounds) (*Server, error) {
	certificate, spki, err := newCertificate(config.Evidence)
	if err != nil {
		return nil, err
	}
	s := &Server{
		config: config, bounds: b, spki: spki,
		limiter:  limiter{size: b.connections, protect: b.protect, hello: b.hello, now: time.Now, pick: rand.IntN},
		accepted: make(chan net.Conn), done: make(chan struct{}),
	}
	s.tls = s.newTLS(certificate)
	s.http = s.newHTTP()
	// It ends when the server is closed, and for no other reason.
	go func() { _ = s.http.Serve(handshaken{s}) }()
	return s, nil
}

// newTLS knows TLS 1.3 alone, and no resumption: a resumed session shows no certificate, and its
// keys are older than itself.
func (s *Server) newTLS(certificate *tls.Certificate) *tls.Config {
	return &tls.Config{
		Certificates:           []tls.Certificate{*certificate},
		MinVersion:             tls.VersionTLS13,
		MaxVersion:             tls.VersionTLS13,
		NextProtos:             []string{protocol},
		SessionTicketsDisabled: true,
		GetConfigForClient: func(hello *tls.ClientHelloInfo) (*tls.Config, error) {
			if conn, ok := hello.Conn.(*connection); ok {
				s.limiter.greet(conn.member)
			}
			// Without ALPN the handshake would succeed.
			if !slices.Contains(hello.SupportedProtos, protocol) {
				return nil, errProtocol
			}
			return nil, nil
		},
	}
}

func (s *Server) newHTTP() *http.Server {
	protocols := &http.Protocols{}
	protocols.SetHTTP2(true)
	return &http.Server{
		Handler:        http.HandlerFunc(s.answer),
		Protocols:      protocols,
		ReadTimeout:    s.bounds.request,
		WriteTimeout:   s.bounds.answer,
		IdleTimeout:    s.bounds.idle,
		MaxHeaderBytes: maxHeaderBytes,
		HTTP2: &http.HTTP2Config{
			MaxConcurrentStreams:          maxStreams,
			MaxReadFrameSize:              maxFrame,
			MaxReceiveBufferPerConnection: maxReceive,
			MaxReceiveBufferPerStream:     maxReceive,
			WriteByteTimeout:              s.bounds.request,
		},
		// The messages may quote a peer, so they are dropped.
		ErrorLog:    log.New(io.Discard, "", 0),
		ConnContext: withConnection,
	}
}

type connectionKey struct{}

func withConnection(ctx context.Context, conn net.Conn) context.Context {
	return context.WithValue(ctx, connectionKey{}, conn.(*tls.Conn).NetConn())
}

// pause is after a connection that could not be taken.
const pause = 100 * time.Millisecond

// Serve takes connections until the listener is closed.
func (s *Server) Serve(l net.Listener) error {
	for {
		conn, err := l.Accept()
		if errors.Is(err, net.ErrClosed) {
			return err
		}
		if err != nil {
			// Descriptors or memory are short for now.
			time.Sleep(pause)
			continue
		}
		// Connections are admitted in the order in which they came.
		if admitted, err := s.admit(conn); err == nil {
			go func() { _ = s.serve(admitted) }()
		}
	}
}

// ServeConn serves one connection to its end, and closes it. Closing it must not have to wait for
// anything.
func (s *Server) ServeConn(raw net.Conn) error {
	conn, err := s.admit(raw)
	if err != nil {
		return err
	}
	return s.serve(conn)
}

func (s *Server) admit(raw net.Conn) (*connection, error) {
	conn := s.bounds.newConnection(raw)
	if conn.member = s.limiter.admit(func() { _ = conn.Close() }); conn.member == nil {
		return nil, errors.Join(ErrTooMany, conn.Close())
	}
	return conn, nil
}

func (s *Server) serve(conn *connection) error {
	defer s.limiter.leave(conn.member)
	defer conn.Close()
	secured, err := s.handshake(conn)
	if err != nil {
		return err
	}
	// A connection is opened to be challenged.
	silence := time.AfterFunc(s.bounds.attest, func() {
		if !conn.asked.Load() {
			_ = conn.Close()
		}
	})
	defer silence.Stop()
	select {
	case s.accepted <- secured:
		<-conn.closed
		return nil
	case <-s.done:
		return net.ErrClosed
	}
}

func (s *Server) handshake(conn *connection) (*tls.Conn, error) {
	secured := tls.Server(conn, s.tls)
	ctx, cancel := context.WithTimeout(context.Background(), s.bounds.handshake)
	defer cancel()
	if err := secured.HandshakeContext(ctx); err != nil {
		return nil, err
	}
	state := secured.ConnectionState()
	if state.Version != tls.VersionTLS13 || state.NegotiatedProtocol != protocol || state.DidResume {
		return nil, errProtocol
	}
	return secured, nil
}

// Close ends all connections.
func (s *Server) Close() error {
	s.limiter.closeAll()
	close(s.done)
	return s.http.Close()
}

// handshaken hands connections on to the HTTP server.
type handshaken struct{ server *Server }

func (h handshaken) Accept() (net.Conn, error) {
	select {
	case conn := <-h.server.accepted:
		return conn, nil
	case <-h.server.done:
		return nil, net.ErrClosed
	}
}

// Close has nothing to do: the server is closed first.
func (h handshaken) Close() error   { return nil }
func (h handshaken) Addr() net.Addr { return address{} }

type address struct{}

func (address) Network() string { return "ra-tls" }
func (address) String() string  { return "guest" }
