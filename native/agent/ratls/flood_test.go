package ratls

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"sync"
	"testing"
	"time"

	"a3s.dev/box/agent/launchspec"
)

const (
	// arrivals bounds how many connections the stranger opens, for twice the time that there is.
	arrivals = 2 * within / arrival
	// again is after how long it tries again, and step what the network and the verification take
	// of each step.
	again = 100 * time.Millisecond
	step  = 300 * time.Millisecond
)

// attempt is a connection of its own.
func attempt(ctx context.Context, address string, requests func(c *http.Client) error) error {
	var dialer net.Dialer
	raw, err := dialer.DialContext(ctx, "tcp", address)
	if err != nil {
		return err
	}
	conn := tls.Client(raw, clientConfig())
	defer conn.Close()
	stop := context.AfterFunc(ctx, func() { _ = raw.Close() })
	defer stop()
	if err := conn.HandshakeContext(ctx); err != nil {
		return err
	}
	transport := &http.Transport{ForceAttemptHTTP2: true, DialTLSContext: func(context.Context, string, string) (net.Conn, error) {
		return conn, nil
	}}
	defer transport.CloseIdleConnections()
	return requests(&http.Client{Transport: transport})
}

// send makes a request.
func send(ctx context.Context, c *http.Client, method, path string, body any, want int) error {
	content, err := json.Marshal(body)
	if err != nil {
		return err
	}
	request, err := http.NewRequestWithContext(ctx, method, "https://guest"+path, bytes.NewReader(content))
	if err != nil {
		return err
	}
	response, err := c.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode != want {
		return fmt.Errorf("%s %s: got %d", method, path, response.StatusCode)
	}
	return nil
}

// stranger opens connections at a steady rate, and keeps each of them until the guest ends it.
type stranger struct {
	ctx     context.Context
	address string
	all     sync.WaitGroup
	hold    func(s *stranger, conn net.Conn)
	// held receives each connection that is as far as the stranger wants it.
	held chan struct{}
}

func (s *stranger) open() {
	s.all.Add(1)
	go func() {
		defer s.all.Done()
		conn, err := net.Dial("tcp", s.address)
		if err != nil {
			return
		}
		defer conn.Close()
		stop := context.AfterFunc(s.ctx, func() { _ = conn.Close() })
		defer stop()
		s.hold(s, conn)
	}()
}

// come has connections arrive.
func (s *stranger) come() {
	s.all.Add(1)
	go func() {
		defer s.all.Done()
		tick := time.NewTicker(arrival)
		defer tick.Stop()
		for range arrivals {
			select {
			case <-tick.C:
				s.open()
			case <-s.ctx.Done():
				return
			}
		}
	}()
}

func (s *stranger) tell() {
	select {
	case s.held <- struct{}{}:
	default:
	}
}

// says is a stranger that sends some bytes and nothing more.
func says(data []byte) func(*stranger, net.Conn) {
	return func(s *stranger, conn net.Conn) {
		_, _ = conn.Write(data)
		s.tell()
		_, _ = conn.Read(make([]byte, 1))
	}
}

// handshakes is a stranger that asks for nothing.
func handshakes(s *stranger, conn net.Conn) {
	secured := tls.Client(conn, clientConfig())
	if secured.HandshakeContext(s.ctx) == nil {
		s.tell()
		buffer := make([]byte, 1<<10)
		for {
			if _, err := secured.Read(buffer); err != nil {
				return
			}
		}
	}
}

// attests is a stranger that asks for evidence, as often as it gets some.
func attests(s *stranger, conn net.Conn) {
	secured := tls.Client(conn, clientConfig())
	if secured.HandshakeContext(s.ctx) != nil {
		return
	}
	transport := &http.Transport{ForceAttemptHTTP2: true, DialTLSContext: func(context.Context, string, string) (net.Conn, error) {
		return secured, nil
	}}
	defer transport.CloseIdleConnections()
	c := &http.Client{Transport: transport}
	for {
		if err := send(s.ctx, c, "POST", "/attest", challenge{nonce}, 200); err == nil {
			s.tell()
			continue
		} else if s.ctx.Err() != nil || !bytes.Contains([]byte(err.Error()), []byte("got 429")) {
			return
		}
		select {
		case <-time.After(time.Second):
		case <-s.ctx.Done():
			return
		}
	}
}

func TestAStrangerKeepsNoRelyingPartyOut(t *testing.T) {
	for name, hold := range map[string]func(*stranger, net.Conn){
		"silent":            says(nil),
		"half-open":         says([]byte{22, 3, 1}),
		"without a request": handshakes,
		"always attesting":  attests,
	} {
		t.Run(name, func(t *testing.T) {
			g := serve(t, guestOptions{bounds: usual, secrets: []launchspec.Secret{{Name: "token", AllowAnyInjector: true}}})
			ctx, cancel := context.WithCancel(t.Context())
			s := &stranger{ctx: ctx, address: g.address, hold: hold, held: make(chan struct{}, usual.connections)}
			defer s.all.Wait()
			defer cancel()
			for range usual.connections {
				s.open()
				<-s.held
			}
			s.come()
			late, stop := context.WithTimeout(ctx, within)
			defer stop()
			started := time.Now()
			for attempts := 1; ; attempts++ {
				err := attempt(late, g.address, relyingParty(late))
				if err == nil {
					t.Logf("done after %s and %d attempts", time.Since(started), attempts)
					return
				}
				if late.Err() != nil {
					t.Fatalf("not done after %d attempts in %s: %v", attempts, within, err)
				}
				time.Sleep(again)
			}
		})
	}
}

// relyingParty gets evidence, and injects a secret.
func relyingParty(ctx context.Context) func(c *http.Client) error {
	return func(c *http.Client) error {
		time.Sleep(step)
		if err := send(ctx, c, "POST", "/attest", challenge{nonce}, 200); err != nil {
			return err
		}
		time.Sleep(step)
		return send(ctx, c, "PUT", "/secrets/token", map[string]any{"value": []byte("secret")}, 204)
	}
}
