package ratls

import (
	"crypto/sha256"
	"slices"
	"strconv"

	"a3s.dev/box/agent/evidence"
	"a3s.dev/box/agent/jsonapi"
	"a3s.dev/box/agent/sealing"
	"a3s.dev/box/agent/strictjson"
)

// sealCallDomain keeps what sealers sign apart from all else.
const sealCallDomain = "a3s-box/seal-call/v1"

// Operations, by which a signature for one is none for another.
const (
	operationSeal   = "seal"
	operationUnseal = "unseal"
)

// sealCall is the statement that a sealer signs: this operation on these bytes, by this guest, over
// this connection.
type sealCall struct {
	exporter   []byte
	agentKey   []byte
	instance   [16]byte
	specDigest [32]byte
	operation  string
	// arguments are all of the operation's, in the order of openapi.json.
	arguments [][]byte
}

func (c *sealCall) message() []byte {
	digest := sha256.Sum256(evidence.Items(c.arguments...))
	return evidence.Items(
		[]byte(sealCallDomain), c.exporter, c.agentKey, c.instance[:], c.specDigest[:], []byte(c.operation), digest[:],
	)
}

type sealRequest struct {
	Purpose    string  `json:"purpose"`
	Policy     string  `json:"policy"`
	MinimumSVN *int64  `json:"minimumSvn"`
	Value      []byte  `json:"value"`
	Key        *[]byte `json:"key"`
	Signature  *[]byte `json:"signature"`
}

type unsealRequest struct {
	Purpose   string  `json:"purpose"`
	Envelope  []byte  `json:"envelope"`
	Key       *[]byte `json:"key"`
	Signature *[]byte `json:"signature"`
}

// seal seals a value for a client that proves it has a key of the launch spec. Without that proof
// a stranger could have the workload open, as its own, what the stranger chose.
func (s *Server) seal(r *request) (any, error) {
	var body sealRequest
	defer func() { clear(body.Value) }()
	if err := s.mayCallSealer(r, &body); err != nil {
		return nil, err
	}
	svn := []byte{}
	if body.MinimumSVN != nil {
		svn = strconv.AppendInt(svn, *body.MinimumSVN, 10)
	}
	arguments := [][]byte{[]byte(body.Purpose), []byte(body.Policy), svn, body.Value}
	if err := s.permitSealer(r, operationSeal, arguments, body.Key, body.Signature); err != nil {
		return nil, err
	}
	terms := sealing.Terms{Purpose: body.Purpose, Policy: body.Policy, MinimumSVN: body.MinimumSVN}
	envelope, err := s.config.Sealer.Session().Seal(terms, body.Value)
	if err != nil {
		return nil, err
	}
	return map[string][]byte{"envelope": envelope}, nil
}

// unseal opens an envelope for a client that proves the same.
func (s *Server) unseal(r *request) (any, error) {
	var body unsealRequest
	if err := s.mayCallSealer(r, &body); err != nil {
		return nil, err
	}
	arguments := [][]byte{[]byte(body.Purpose), body.Envelope}
	if err := s.permitSealer(r, operationUnseal, arguments, body.Key, body.Signature); err != nil {
		return nil, err
	}
	value, err := s.config.Sealer.Session().Unseal(body.Envelope, body.Purpose)
	if err != nil {
		return nil, err
	}
	r.wipe = value
	return map[string][]byte{"value": value}, nil
}

// mayCallSealer reads a request of a connection that did not have too many.
func (s *Server) mayCallSealer(r *request, body any) error {
	if !r.connection.injected.Take() {
		return jsonapi.ErrTooMany
	}
	if err := s.config.Sealer.Permits(); err != nil {
		return err
	}
	return strictjson.Decode(r.body, body)
}

// permitSealer decides who may seal and unseal from outside: no one but the holders of the keys
// that the launch spec names. A connection that was challenged proves the guest to its client, and
// nothing of the client to the guest.
func (s *Server) permitSealer(r *request, operation string, arguments [][]byte, key, signature *[]byte) error {
	if key == nil || signature == nil {
		return errNoSealerKey
	}
	sealer, err := parseInjectorKey(*key)
	if err != nil {
		return errSealerKey
	}
	if !slices.Contains(s.config.Sealers, sealer.digest) {
		return errNoSealer
	}
	exporter, err := export(r.tls, sealLabel, []byte(operation))
	if err != nil {
		return err
	}
	about := &sealCall{
		exporter: exporter, agentKey: s.spki, instance: s.config.Evidence.Instance(), specDigest: s.config.Evidence.SpecDigest(),
		operation: operation, arguments: arguments,
	}
	if !sealer.verify(about.message(), *signature) {
		return errSealerSignature
	}
	return nil
}
