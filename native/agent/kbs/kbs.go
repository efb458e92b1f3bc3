// Package kbs fetches secrets from a secret broker over KBS protocol 0.4:
// docs/confidential/broker.md.
//
// The host carries the bytes. It is not trusted: the launch spec, which is measured, names the
// broker's key, and nothing is sent to, or read from, a peer that has not proved to have it.
package kbs

import (
	"context"
	"crypto/ecdh"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net"
	"net/http"
	"strconv"

	"a3s.dev/box/agent/evidence"
	"a3s.dev/box/agent/launchspec"
	"a3s.dev/box/agent/strictjson"
	"a3s.dev/box/agent/tee"
)

// version is the protocol's.
const version = "0.4.0"

// defaultTenant is that of guests which name none.
const defaultTenant = "default"

// Bounds of what a broker answers with, and of its nonce.
const (
	maxAnswer = 16 << 10
	// A secret of 64 KiB in base64, and its header.
	maxResource = 96 << 10
	minNonce    = 32
	maxNonce    = 64
)

// Evidence makes the evidence of this guest; *evidence.Source does.
type Evidence interface {
	BrokerTEE() string
	Broker(nonce []byte, key *ecdh.PublicKey) (tee.Report, error)
}

var _ Evidence = (*evidence.Source)(nil)

// Config says which broker, and by which way.
type Config struct {
	Broker   launchspec.Broker
	Evidence Evidence
	// Dial opens a stream of bytes to the broker. The carrier is not trusted.
	Dial func(ctx context.Context) (net.Conn, error)
}

// Refusal is a broker's answer that is no success. It has nothing but the code of it.
type Refusal struct {
	Status int
	Code   string
}

func (e *Refusal) Error() string { return "the broker answers " + e.Code }

// Final says whether the same request would be answered the same again. A session ends with a
// broker that starts anew, and a broker that is busy is not so for long. A redirection is of
// something before the broker that is being changed: the guest follows none, and asks again.
func (e *Refusal) Final() bool {
	switch e.Status {
	case http.StatusRequestTimeout, http.StatusTooEarly, http.StatusTooManyRequests:
		return false
	}
	isOfClient := e.Status >= 400 && e.Status < 500
	return isOfClient && e.Code != "kbs-session"
}

// Errors of a fetch.
var (
	// ErrAnswer is an answer that is none of the protocol.
	ErrAnswer = errors.New("the broker's answer is not one of KBS protocol 0.4")
	// ErrKind is a resource of another kind: an administrator may know a secret, and no volume key.
	ErrKind = errors.New("the broker has a secret at the path of a volume key, or a volume key at that of a secret")
	// ErrEvidence is a secure processor that gives no report.
	ErrEvidence = errors.New("the secure processor gives no evidence for the broker")
)

// Client fetches secrets of one launch spec.
type Client struct{ config Config }

// New makes a client.
func New(config Config) *Client { return &Client{config} }

// Fetch attests the guest with a key that exists for this call alone, and hands over each resource.
// What it hands over is overwritten afterwards. An error of `take` ends it.
func (c *Client) Fetch(ctx context.Context, resources []string, take func(resource string, value []byte) error) error {
	s, err := c.attested(ctx)
	if err != nil {
		return err
	}
	defer s.end()
	for _, resource := range resources {
		value, err := s.resource(ctx, resource, "")
		if err != nil {
			return err
		}
		err = take(resource, value)
		clear(value)
		if err != nil {
			return err
		}
	}
	return nil
}

// attested begins a session, which the caller ends.
func (c *Client) attested(ctx context.Context) (*session, error) {
	key, err := ecdh.P256().GenerateKey(rand.Reader)
	if err != nil {
		return nil, err
	}
	s := &session{client: c, key: key, http: c.connect()}
	if err := s.attest(ctx); err != nil {
		s.end()
		return nil, err
	}
	return s, nil
}

// session is one attestation.
type session struct {
	client *Client
	key    *ecdh.PrivateKey
	http   *http.Client
	// cookie is the session's, as the broker gave it last.
	cookie string
}

// end gives the session back to the broker, and closes its connections: the broker allows a host so
// many, and one that nobody ends counts until it expires. Whatever comes of it, nothing is lost.
func (s *session) end() {
	defer s.http.CloseIdleConnections()
	if s.cookie == "" {
		return
	}
	// The caller's time may be over.
	ctx, cancel := context.WithTimeout(context.Background(), endTime)
	defer cancel()
	_, _ = s.call(ctx, http.MethodDelete, "session", nil, maxAnswer)
}

// Documents of the protocol. The guest's are in canonical order where that matters: see package
// evidence.
type (
	authRequest struct {
		Version string    `json:"version"`
		TEE     string    `json:"tee"`
		Extra   authExtra `json:"extra-params"`
	}
	// authExtra leaves the broker no choice: REPORT_DATA of this guest is SHA-384.
	authExtra struct {
		Hashes []string `json:"supported-hash-algorithms"`
	}
	authAnswer struct {
		Nonce string      `json:"nonce"`
		Extra answerExtra `json:"extra-params"`
	}
	answerExtra struct {
		Hash string `json:"selected-hash-algorithm"`
	}
	attestRequest struct {
		Runtime  runtimeData `json:"runtime-data"`
		Evidence teeEvidence `json:"tee-evidence"`
	}
	runtimeData struct {
		Nonce string             `json:"nonce"`
		Key   evidence.BrokerKey `json:"tee-pubkey"`
	}
	teeEvidence struct {
		Primary    primaryEvidence `json:"primary_evidence"`
		Additional string          `json:"additional_evidence"`
	}
	attestAnswer struct {
		Token string `json:"token"`
	}
)

const hash = "sha384"

func (s *session) attest(ctx context.Context) error {
	source := s.client.config.Evidence
	var challenge authAnswer
	request := authRequest{version, source.BrokerTEE(), authExtra{[]string{hash}}}
	if err := s.post(ctx, "auth", request, &challenge); err != nil {
		return err
	}
	nonce, err := base64.StdEncoding.Strict().DecodeString(challenge.Nonce)
	// Package base64 skips line ends, and the broker compares texts.
	known := err == nil && base64.StdEncoding.EncodeToString(nonce) == challenge.Nonce
	if !known || len(nonce) < minNonce || len(nonce) > maxNonce || challenge.Extra.Hash != hash {
		return ErrAnswer
	}
	report, err := source.Broker(nonce, s.key.PublicKey())
	if err != nil {
		return errors.Join(ErrEvidence, err)
	}
	return s.post(ctx, "attest", attestRequest{
		runtimeData{challenge.Nonce, evidence.KeyForBroker(s.key.PublicKey())},
		teeEvidence{primaryOf(report), ""},
	}, &attestAnswer{})
}

func (s *session) resource(ctx context.Context, path, kind string) ([]byte, error) {
	answer, err := s.call(ctx, http.MethodGet, "resource/"+path, nil, maxResource)
	if err != nil {
		return nil, err
	}
	defer clear(answer)
	return open(answer, s.key, s.client.config.Broker.Tenant+"/"+path, kind)
}

func (s *session) post(ctx context.Context, step string, request, to any) error {
	body, err := json.Marshal(request)
	if err != nil {
		return err
	}
	answer, err := s.call(ctx, http.MethodPost, step, body, maxAnswer)
	if err != nil {
		return err
	}
	if err := strictjson.Decode(answer, to); err != nil {
		return ErrAnswer
	}
	return nil
}

// base is where the tenant's routes are.
func base(b *launchspec.Broker) string {
	url := "https://" + net.JoinHostPort(b.Host, strconv.FormatInt(b.Port, 10))
	if b.Tenant != defaultTenant {
		url += "/tenants/" + b.Tenant
	}
	return url + "/kbs/v0/"
}
