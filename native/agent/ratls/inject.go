package ratls

import (
	"slices"

	"a3s.dev/box/agent/jsonapi"
	"a3s.dev/box/agent/launchspec"
	"a3s.dev/box/agent/strictjson"
)

type injected struct {
	Value     []byte  `json:"value"`
	Key       *[]byte `json:"key"`
	Signature *[]byte `json:"signature"`
}

// inject accepts a secret from a client that proves it has a key of the launch spec.
func (s *Server) inject(r *request) (any, error) {
	if !r.connection.injected.Take() {
		return nil, jsonapi.ErrTooMany
	}
	secret, err := s.config.Secrets.Secret(r.name)
	if err != nil {
		return nil, err
	}
	var body injected
	defer func() { clear(body.Value) }()
	if err := strictjson.Decode(r.body, &body); err != nil {
		return nil, err
	}
	if err := s.permit(r, &secret, &body); err != nil {
		return nil, err
	}
	if err := s.config.Secrets.Deliver(r.name, body.Value); err != nil {
		return nil, err
	}
	s.limiter.delivered(r.connection.member)
	return nil, nil
}

// permit decides who may inject. A signature has to be valid even where none is required.
func (s *Server) permit(r *request, secret *launchspec.Secret, body *injected) error {
	if body.Key == nil && body.Signature == nil && secret.AllowAnyInjector {
		return nil
	}
	if body.Key == nil || body.Signature == nil {
		return errNoKey
	}
	key, err := parseInjectorKey(*body.Key)
	if err != nil {
		return err
	}
	if !secret.AllowAnyInjector && !slices.Contains(secret.Injectors, key.digest) {
		return errNotPermitted
	}
	exporter, err := export(r.tls, injectLabel, []byte(secret.Name))
	if err != nil {
		return err
	}
	about := &injection{
		exporter: exporter, agentKey: s.spki, instance: s.config.Evidence.Instance(), specDigest: s.config.Evidence.SpecDigest(),
		secret: secret.Name, value: body.Value,
	}
	if !key.verify(about.message(), *body.Signature) {
		return errSignature
	}
	return nil
}
