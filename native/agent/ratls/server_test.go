package ratls

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"syscall"
	"testing"
	"time"

	"a3s.dev/box/agent/evidence"
	"a3s.dev/box/agent/secrets"
	"a3s.dev/box/agent/tee/teetest"
)

func TestAHandshakeOfAnotherProtocolIsRefused(t *testing.T) {
	g := serve(t, guestOptions{})
	for name, change := range map[string]func(c *tls.Config){
		"TLS 1.2":        func(c *tls.Config) { c.MinVersion, c.MaxVersion = tls.VersionTLS12, tls.VersionTLS12 },
		"HTTP/1.1":       func(c *tls.Config) { c.NextProtos = []string{"http/1.1"} },
		"HTTP/3":         func(c *tls.Config) { c.NextProtos = []string{"h3"} },
		"no ALPN at all": func(c *tls.Config) { c.NextProtos = nil },
	} {
		config := clientConfig()
		change(config)
		if conn, err := g.dial(config); err == nil {
			t.Errorf("%s: got %+v", name, conn.ConnectionState())
		}
	}
	if conn, err := net.Dial("tcp", g.address); err != nil {
		t.Error(err)
	} else {
		_, _ = conn.Write([]byte("GET /info HTTP/1.1\r\n\r\n"))
		if answer, err := io.ReadAll(conn); err == nil && bytes.Contains(answer, []byte("HTTP")) {
			t.Errorf("got %q", answer)
		}
	}
}

// sessions counts what a client could resume.
type sessions struct{ put int }

func (s *sessions) Get(string) (*tls.ClientSessionState, bool) { return nil, false }
func (s *sessions) Put(_ string, session *tls.ClientSessionState) {
	if session != nil {
		s.put++
	}
}

func TestNoSessionCanBeResumed(t *testing.T) {
	g := serve(t, guestOptions{})
	cache := &sessions{}
	config := clientConfig()
	config.ServerName = "guest"
	config.ClientSessionCache = cache
	for range 2 {
		p := g.connect(config)
		p.attest(nonce)
		if p.state.DidResume || len(p.state.PeerCertificates) != 1 {
			t.Errorf("got %+v", p.state)
		}
		_ = p.conn.Close()
	}
	if cache.put != 0 {
		t.Errorf("got %d tickets", cache.put)
	}
}

func TestTheCertificateHasEvidenceOfItsKey(t *testing.T) {
	for simulated, want := range map[bool]struct{ oid, name string }{
		false: {"2.23.133.5.4.9", "a3s-box"},
		true: {
			"1.2.840.113556.1.8000.2554.49877.26465.11226.16440.35112.1793158.13745879", "a3s-box SIMULATED, NOT HARDWARE",
		},
	} {
		g := serve(t, guestOptions{simulated: simulated})
		certificate := g.connect(clientConfig()).certificate()
		key, ok := certificate.PublicKey.(*ecdsa.PublicKey)
		if !ok || key.Curve != elliptic.P384() || certificate.Subject.CommonName != want.name {
			t.Errorf("got a certificate of %s with %T", certificate.Subject, certificate.PublicKey)
		}
		if err := certificate.CheckSignatureFrom(certificate); err == nil {
			t.Error("it is an authority")
		}
		if err := certificate.CheckSignature(certificate.SignatureAlgorithm, certificate.RawTBSCertificate, certificate.Signature); err != nil {
			t.Error(err)
		}
		values := 0
		for _, extension := range certificate.Extensions {
			if extension.Id.String() != want.oid {
				continue
			}
			values++
			if extension.Critical {
				t.Error("the extension is critical")
			}
			hash := sha512.Sum384(certificate.RawSubjectPublicKeyInfo)
			at := bytes.Index(extension.Value, []byte("\xa3\x6bpubkey-hash"))
			if at < 0 || !bytes.Contains(extension.Value[at:], hash[:]) {
				t.Fatalf("got %x", extension.Value)
			}
			// The report is over the claims that stand beside it.
			if sum := sha256.Sum256(extension.Value[at:]); g.processor.Asked()[0] != [64]byte(append(sum[:], make([]byte, 32)...)) {
				t.Error("the report is over something else")
			}
		}
		if values != 1 {
			t.Errorf("got %d extensions %s", values, want.oid)
		}
	}
}

func TestEachServerHasAKeyOfItsOwn(t *testing.T) {
	first := serve(t, guestOptions{}).connect(clientConfig()).certificate()
	second := serve(t, guestOptions{}).connect(clientConfig()).certificate()
	if bytes.Equal(first.RawSubjectPublicKeyInfo, second.RawSubjectPublicKeyInfo) {
		t.Error("the keys are the same")
	}
}

func TestThereIsNoServerWithoutAReport(t *testing.T) {
	broken := errors.New("broken")
	source := evidence.New(evidence.Config{Processor: &teetest.Fake{Err: broken}})
	if _, err := New(Config{Evidence: source, Secrets: secrets.NewStore(nil, 0)}); !errors.Is(err, broken) {
		t.Errorf("got %v", err)
	}
}

// ended waits for the server to close a connection.
func ended(t *testing.T, conn net.Conn) {
	t.Helper()
	// The bytes that the server has sent before do not matter.
	if _, err := io.Copy(io.Discard, conn); err != nil {
		var reset *net.OpError
		if !errors.As(err, &reset) {
			t.Error(err)
		}
	}
}

func TestAHandshakeThatTakesTooLongEnds(t *testing.T) {
	hurried := patient
	hurried.handshake = time.Millisecond
	g := serve(t, guestOptions{bounds: hurried})
	conn, err := net.Dial("tcp", g.address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	ended(t, conn)
}

func TestAConnectionThatAsksForNothingEnds(t *testing.T) {
	hurried := patient
	hurried.attest = time.Millisecond
	g := serve(t, guestOptions{bounds: hurried})
	conn, err := g.dial(clientConfig())
	if err == nil {
		defer conn.Close()
		ended(t, conn)
	}
}

func (l *limiter) count() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.members)
}

func TestHalfOpenHandshakesKeepNobodyOut(t *testing.T) {
	hurried := patient
	hurried.protect, hurried.hello = 0, 0
	g := serve(t, guestOptions{bounds: hurried})
	attested := g.connect(clientConfig())
	attested.attest(nonce)
	// Each says the beginning of a handshake, and nothing more.
	var slow []net.Conn
	for range 3 * patient.connections {
		conn, err := net.Dial("tcp", g.address)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		// Its place may be another's already.
		_, _ = conn.Write([]byte{22, 3, 1})
		slow = append(slow, conn)
	}
	g.connect(clientConfig()).attest(nonce)
	attested.attest(nonce)
	if n := g.server.limiter.count(); n != patient.connections {
		t.Errorf("got %d connections", n)
	}
	for _, conn := range slow {
		_ = conn.Close()
	}
}

func TestAConnectionIsRefusedWhereAllAreProtected(t *testing.T) {
	few := patient
	few.connections = 2
	g := serve(t, guestOptions{bounds: few})
	g.connect(clientConfig()).attest(nonce)
	g.connect(clientConfig())
	ours, theirs := net.Pipe()
	defer theirs.Close()
	if err := g.server.ServeConn(ours); !errors.Is(err, ErrTooMany) {
		t.Errorf("got %v", err)
	}
	if _, err := theirs.Read(make([]byte, 1)); err != io.EOF {
		t.Errorf("got %v", err)
	}
}

func TestAPlaceIsFreeOnceAConnectionEnds(t *testing.T) {
	one := patient
	one.connections = 1
	g := serve(t, guestOptions{bounds: one})
	first, second := net.Pipe()
	served := make(chan error)
	go func() { served <- g.server.ServeConn(first) }()
	_ = second.Close()
	if err := <-served; err == nil {
		t.Error("it ended well")
	}
	g.connect(clientConfig()).attest(nonce)
}

// TestAConnectionNeedsNoSocket: the host carries some connections over the control stream.
func TestAConnectionNeedsNoSocket(t *testing.T) {
	g := serve(t, guestOptions{})
	ours, theirs := net.Pipe()
	served := make(chan error)
	go func() { served <- g.server.ServeConn(ours) }()
	conn := tls.Client(theirs, clientConfig())
	if err := conn.Handshake(); err != nil {
		t.Fatal(err)
	}
	p := g.over(conn)
	if document := p.attest(nonce); reportData(document) != p.bound(nonce) {
		t.Error("the report is over something else")
	}
	_ = theirs.Close()
	if err := <-served; err != nil {
		t.Error(err)
	}
}

func TestCloseEndsConnectionsAndHandshakes(t *testing.T) {
	source := evidence.New(evidence.Config{Processor: &teetest.Fake{}})
	s, err := New(Config{Evidence: source, Secrets: secrets.NewStore(nil, 0)})
	if err != nil {
		t.Fatal(err)
	}
	ours, theirs := net.Pipe()
	defer theirs.Close()
	served := make(chan error)
	go func() { served <- s.ServeConn(ours) }()
	if _, err := theirs.Write([]byte{22}); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if err := <-served; err == nil {
		t.Error("it ended well")
	}
	ours, theirs = net.Pipe()
	defer theirs.Close()
	if err := s.ServeConn(ours); !errors.Is(err, ErrTooMany) {
		t.Errorf("got %v", err)
	}
}

// short is a listener that has no descriptor left for its first connection.
type short struct {
	net.Listener
	failed bool
}

func (s *short) Accept() (net.Conn, error) {
	if !s.failed {
		s.failed = true
		return nil, syscall.EMFILE
	}
	return s.Listener.Accept()
}

func TestAConnectionThatCannotBeTakenIsNotTheEnd(t *testing.T) {
	g := serve(t, guestOptions{})
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	g.address = listener.Addr().String()
	served := make(chan error)
	go func() { served <- g.server.Serve(&short{Listener: listener}) }()
	g.connect(clientConfig()).attest(nonce)
	_ = listener.Close()
	if err := <-served; !errors.Is(err, net.ErrClosed) {
		t.Errorf("got %v", err)
	}
}

func TestAConnectionHasOneLargeBodyInMemory(t *testing.T) {
	ours, theirs := net.Pipe()
	defer theirs.Close()
	c := patient.newConnection(ours)
	leave, err := c.alone()
	if err != nil {
		t.Fatal(err)
	}
	second := make(chan func())
	go func() {
		next, err := c.alone()
		if err != nil {
			t.Error(err)
		}
		second <- next
	}()
	select {
	case <-second:
		t.Error("it did not wait")
	default:
	}
	leave()
	<-second
	_ = c.Close()
	if _, err := c.alone(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("got %v", err)
	}
}
