package ratls

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"testing"
	"time"

	"a3s.dev/box/agent/evidence"
	"a3s.dev/box/agent/launchspec"
	"a3s.dev/box/agent/sealing"
	"a3s.dev/box/agent/secrets"
	"a3s.dev/box/agent/snp"
	"a3s.dev/box/agent/tee"
	"a3s.dev/box/agent/tee/teetest"
)

var (
	specText = []byte(`{"schema":"a3s-box/launch-spec/v1"}`)
	instance = [16]byte{1, 2, 3}
	nonce    = bytes.Repeat([]byte{5}, 32)
)

// patient are bounds that no test runs into unless it narrows them.
var patient = bounds{
	connections: 32, protect: time.Hour, hello: time.Hour, handshake: time.Hour, attest: time.Hour, request: time.Hour, answer: time.Hour, idle: time.Hour,
	attests: rate{100, 0}, injections: rate{100, 0},
}

// guest is a server on loopback.
type guest struct {
	t         *testing.T
	server    *Server
	processor *teetest.Fake
	store     *secrets.Store
	address   string
}

type guestOptions struct {
	bounds    bounds
	simulated bool
	secrets   []launchspec.Secret
	// sealing is "" for a launch spec that permits none.
	sealing string
	sealers []*injector
	// through is what the guest has between itself and its processor.
	through func(tee.Processor) tee.Processor
}

func serve(t *testing.T, o guestOptions) *guest {
	t.Helper()
	if o.bounds == (bounds{}) {
		o.bounds = patient
	}
	g := &guest{t: t, processor: &teetest.Fake{}, store: secrets.NewStore(o.secrets, time.Hour)}
	processor := tee.Processor(g.processor)
	if o.through != nil {
		processor = o.through(processor)
	}
	source := evidence.New(evidence.Config{
		Processor: processor, Simulated: o.simulated, Instance: instance, SpecDigest: sha256.Sum256(specText), SpecText: specText,
	})
	sealer := sealing.New(sealing.Config{
		Processor: processor, Simulated: o.simulated, Sealing: o.sealing,
		Report: &snp.Report{HostData: sha256.Sum256(specText), Measurement: [48]byte{1}, GuestSVN: 3, IDKeyDigest: [48]byte{2}},
	})
	config := Config{Evidence: source, Secrets: g.store, Sealer: sealer}
	for _, key := range o.sealers {
		config.Sealers = append(config.Sealers, key.digest())
	}
	var err error
	if g.server, err = newServer(config, o.bounds); err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	g.address = listener.Addr().String()
	served := make(chan error)
	go func() { served <- g.server.Serve(listener) }()
	t.Cleanup(func() {
		if err := g.server.Close(); err != nil {
			t.Error(err)
		}
		_ = listener.Close()
		<-served
	})
	return g
}

func clientConfig() *tls.Config {
	return &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"h2"}, MinVersion: tls.VersionTLS13}
}

// peer is one connection of a client.
type peer struct {
	t     *testing.T
	conn  *tls.Conn
	state tls.ConnectionState
	http  *http.Client
}

func (g *guest) dial(config *tls.Config) (*tls.Conn, error) {
	raw, err := net.Dial("tcp", g.address)
	if err != nil {
		return nil, err
	}
	conn := tls.Client(raw, config)
	return conn, conn.Handshake()
}

func (g *guest) connect(config *tls.Config) *peer {
	g.t.Helper()
	conn, err := g.dial(config)
	if err != nil {
		g.t.Fatal(err)
	}
	return g.over(conn)
}

// over speaks HTTP/2 over a connection whose handshake is done.
func (g *guest) over(conn *tls.Conn) *peer {
	p := &peer{t: g.t, conn: conn, state: conn.ConnectionState()}
	given := false
	p.http = &http.Client{Transport: &http.Transport{
		ForceAttemptHTTP2: true,
		DialTLSContext: func(context.Context, string, string) (net.Conn, error) {
			if given {
				return nil, net.ErrClosed
			}
			given = true
			return conn, nil
		},
	}}
	g.t.Cleanup(func() { _ = conn.Close() })
	return p
}

// call makes a request; its body is what is no string or bytes as JSON.
func (p *peer) call(method, path string, body any) (int, []byte, http.Header) {
	p.t.Helper()
	var content []byte
	switch body := body.(type) {
	case nil:
	case string:
		content = []byte(body)
	default:
		var err error
		if content, err = json.Marshal(body); err != nil {
			p.t.Fatal(err)
		}
	}
	request, err := http.NewRequest(method, "https://guest"+path, bytes.NewReader(content))
	if err != nil {
		p.t.Fatal(err)
	}
	response, err := p.http.Do(request)
	if err != nil {
		p.t.Fatal(err)
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(response.Body)
	if err != nil {
		p.t.Fatal(err)
	}
	hold(p.t, method, path, response.StatusCode, answer)
	return response.StatusCode, answer, response.Header
}

// refused makes a request that is refused with a code.
func (p *peer) refused(method, path string, body any, status int, code string) {
	p.t.Helper()
	got, answer, _ := p.call(method, path, body)
	var document struct {
		Error struct{ Code, Message string }
	}
	if err := json.Unmarshal(answer, &document); err != nil {
		p.t.Errorf("got %d %q", got, answer)
		return
	}
	if got != status || document.Error.Code != code || document.Error.Message == "" {
		p.t.Errorf("got %d %s, want %d %s", got, answer, status, code)
	}
}

func (p *peer) attest(nonce []byte) *evidence.Document {
	p.t.Helper()
	status, answer, _ := p.call("POST", "/attest", map[string]any{"nonce": nonce})
	var document evidence.Document
	if err := json.Unmarshal(answer, &document); status != 200 || err != nil {
		p.t.Fatalf("got %d %s, %v", status, answer, err)
	}
	return &document
}

func (p *peer) export(label string, context []byte) []byte {
	p.t.Helper()
	exporter, err := p.state.ExportKeyingMaterial(label, context, 32)
	if err != nil {
		p.t.Fatal(err)
	}
	return exporter
}

func (p *peer) certificate() *x509.Certificate { return p.state.PeerCertificates[0] }
