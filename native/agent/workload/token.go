package workload

import (
	"context"
	"errors"
	"net/http"
	"time"

	"a3s.dev/box/agent/evidence"
	"a3s.dev/box/agent/jsonapi"
	"a3s.dev/box/agent/kbs"
	"a3s.dev/box/agent/strictjson"
)

// Each token is an attestation of its own.
const (
	tokensAtOnce    = 4
	tokensPerSecond = 0.5
	// tokenTime is below answerTime.
	tokenTime = 60 * time.Second
)

// Bounds of the nonce, as EAT has them: RFC 9711, section 4.1.
const (
	minNonce = 8
	maxNonce = 64
)

// Refusals of tokens.
var (
	errNoTokens = &jsonapi.Error{Code: "tokens-not-permitted", Message: "the launch spec names no broker that gives tokens", Status: http.StatusForbidden, Rule: "broker.tokens"}
	errNonce    = &jsonapi.Error{Code: "nonce-length", Message: "nonce must be of 8 to 64 bytes", Status: http.StatusBadRequest}
	errRefused  = &jsonapi.Error{Code: "token-refused", Message: "the broker refuses a token", Status: http.StatusForbidden}
	errBroker   = &jsonapi.Error{Code: "broker-failed", Message: "the broker cannot be reached, or does not answer as one", Status: http.StatusBadGateway}
)

// Tokens gives attestation results of the launch spec's broker.
type Tokens struct {
	broker interface {
		Result(ctx context.Context, nonce []byte) (string, error)
	}
	rate *evidence.Bucket
}

// NewTokens makes them of a broker.
func NewTokens(broker *kbs.Client) *Tokens {
	return &Tokens{broker, evidence.NewBucket(tokensAtOnce, tokensPerSecond)}
}

func token(s *Services, body []byte) (answer, error) {
	var asked struct {
		Nonce []byte `json:"nonce"`
	}
	if err := strictjson.Decode(body, &asked); err != nil {
		return answer{}, err
	}
	switch {
	case len(asked.Nonce) < minNonce || len(asked.Nonce) > maxNonce:
		return answer{}, errNonce
	case s.Tokens == nil:
		return answer{}, errNoTokens
	case !s.Tokens.rate.Take():
		return answer{}, jsonapi.ErrTooMany
	}
	ctx, cancel := context.WithTimeout(context.Background(), tokenTime)
	defer cancel()
	text, err := s.Tokens.broker.Result(ctx, asked.Nonce)
	return answer{document: map[string]string{"token": text}}, tokenError(err)
}

// tokenError tells the workload the broker's code, and whose failure another one is.
func tokenError(err error) error {
	var refusal *kbs.Refusal
	switch {
	case err == nil || errors.Is(err, kbs.ErrEvidence):
		// The latter is the processor's.
		return err
	case errors.As(err, &refusal) && refusal.Final():
		return &jsonapi.Error{Code: errRefused.Code, Message: errRefused.Message + ": " + refusal.Code, Status: errRefused.Status}
	}
	return errBroker
}
