package kbs

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"
)

const (
	cookieName     = "kbs-session-id"
	maxCookie      = 256
	maxHeaderBytes = 16 << 10
	// handshakeTime bounds the handshake, and answerTime each answer. A broker may ask AMD's
	// service for endorsements before it answers.
	handshakeTime = 15 * time.Second
	answerTime    = 60 * time.Second
	// endTime bounds the end of a session, for which a box does not wait any longer.
	endTime    = 3 * time.Second
	codePrefix = "urn:a3s-box:error:"
)

// ErrKey is a peer whose key is not the broker's.
var ErrKey = errors.New("the peer does not have the key of the broker in the launch spec")

// connect makes a client for one connection after the other. It speaks HTTP/1.1 over TLS 1.3,
// follows no redirection, uses no proxy, keeps no session of TLS, and accepts no compression.
func (c *Client) connect() *http.Client {
	return &http.Client{
		Timeout:       answerTime,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport: &http.Transport{
			DialTLSContext:         func(ctx context.Context, _, _ string) (net.Conn, error) { return c.dial(ctx) },
			MaxConnsPerHost:        1,
			MaxResponseHeaderBytes: maxHeaderBytes,
			DisableCompression:     true,
		},
	}
}

// dial returns a connection whose other end has proved to have the broker's key.
func (c *Client) dial(ctx context.Context) (net.Conn, error) {
	carried, err := c.config.Dial(ctx)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, handshakeTime)
	defer cancel()
	conn := tls.Client(carried, &tls.Config{
		MinVersion: tls.VersionTLS13,
		ServerName: c.config.Broker.Host,
		// The key decides, which VerifyConnection compares: not who issued the certificate, and not
		// its dates, since the host sets the guest's clock.
		InsecureSkipVerify: true,
		VerifyConnection:   c.verify,
	})
	if err := conn.HandshakeContext(ctx); err != nil {
		_ = carried.Close()
		return nil, err
	}
	return conn, nil
}

// verify is called in every handshake. The handshake fails as well where the peer does not sign it
// with the key of that certificate.
func (c *Client) verify(state tls.ConnectionState) error {
	if state.Version != tls.VersionTLS13 || state.DidResume || len(state.PeerCertificates) == 0 {
		return ErrKey
	}
	digest := sha256.Sum256(state.PeerCertificates[0].RawSubjectPublicKeyInfo)
	if hex.EncodeToString(digest[:]) != c.config.Broker.Key {
		return ErrKey
	}
	return nil
}

// call sends a request, and returns the body of a success.
func (s *session) call(ctx context.Context, method, step string, body []byte, limit int64) ([]byte, error) {
	request, err := http.NewRequestWithContext(ctx, method, base(&s.client.config.Broker)+step, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	request.Header.Set("User-Agent", "a3s-agent")
	if body != nil {
		request.Header.Set("Content-Type", "application/json")
	}
	if s.cookie != "" {
		request.Header.Set("Cookie", cookieName+"="+s.cookie)
	}
	response, err := s.http.Do(request)
	if err != nil {
		return nil, err
	}
	defer func() { _ = response.Body.Close() }()
	answer, err := io.ReadAll(io.LimitReader(response.Body, limit+1))
	if err != nil {
		return nil, err
	}
	if int64(len(answer)) > limit {
		return nil, ErrAnswer
	}
	if response.StatusCode != http.StatusOK {
		return nil, refusalOf(response.StatusCode, answer)
	}
	return answer, s.keepCookie(response)
}

// keepCookie keeps the session that an answer gives.
func (s *session) keepCookie(response *http.Response) error {
	for _, cookie := range response.Cookies() {
		if cookie.Name != cookieName {
			continue
		}
		if len(cookie.Value) == 0 || len(cookie.Value) > maxCookie || strings.ContainsAny(cookie.Value, "\"; ,\\") {
			return ErrAnswer
		}
		s.cookie = cookie.Value
	}
	return nil
}

// refusalOf takes nothing but a code from a refusal: the host reads it.
func refusalOf(status int, answer []byte) *Refusal {
	var about struct {
		Type string `json:"type"`
	}
	// Brokers of others describe errors in other members besides.
	if err := json.Unmarshal(answer, &about); err == nil {
		if code, ok := strings.CutPrefix(about.Type, codePrefix); ok && isCode(code) {
			return &Refusal{status, code}
		}
	}
	return &Refusal{status, "http-" + strconv.Itoa(status)}
}

func isCode(text string) bool {
	for index := range len(text) {
		if c := text[index]; (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' {
			return false
		}
	}
	return text != "" && len(text) <= 64
}
