package ratls

import (
	"errors"

	"a3s.dev/box/agent/evidence"
	"a3s.dev/box/agent/jsonapi"
	"a3s.dev/box/agent/strictjson"
)

// Bounds of a nonce.
const (
	minNonce = 32
	maxNonce = 64
)

type challenge struct {
	Nonce []byte `json:"nonce"`
}

// attest answers with a report that is bound to the peer's nonce and to this connection. A repeated
// nonce gives another report.
func (s *Server) attest(r *request) (any, error) {
	var c challenge
	if err := strictjson.Decode(r.body, &c); err != nil {
		return nil, err
	}
	if len(c.Nonce) < minNonce || len(c.Nonce) > maxNonce {
		return nil, errNonce
	}
	if !r.connection.asking.CompareAndSwap(false, true) {
		return nil, jsonapi.ErrTooMany
	}
	defer r.connection.asking.Store(false)
	if !r.connection.attests.Take() {
		return nil, jsonapi.ErrTooMany
	}
	r.connection.asked.Store(true)
	defer s.limiter.ask(r.connection.member)()
	exporter, err := export(r.tls, attestLabel, c.Nonce)
	if err != nil {
		return nil, err
	}
	document, err := s.evidence(r.connection, c.Nonce, exporter)
	if errors.Is(err, evidence.ErrTooMany) {
		return nil, err
	}
	if err != nil {
		return nil, jsonapi.ErrProcessor
	}
	r.connection.attested.Store(true)
	return document, nil
}

func (s *Server) evidence(c *connection, nonce, exporter []byte) (*evidence.Document, error) {
	if c.attested.Load() {
		return s.config.Evidence.SessionAgain(s.spki, nonce, exporter)
	}
	return s.config.Evidence.Session(c.closed, s.spki, nonce, exporter)
}
