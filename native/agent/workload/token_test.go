package workload

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"a3s.dev/box/agent/evidence"
	"a3s.dev/box/agent/kbs"
)

// giving is a broker that gives one answer.
type giving struct {
	token string
	err   error
	asked [][]byte
}

func (g *giving) Result(_ context.Context, nonce []byte) (string, error) {
	g.asked = append(g.asked, nonce)
	return g.token, g.err
}

// tokens is an agent whose broker answers so.
func tokens(t *testing.T, g *giving) *agent {
	t.Helper()
	a := plain(t)
	a.services.Tokens = &Tokens{g, evidence.NewBucket(tokensAtOnce, tokensPerSecond)}
	return a
}

func nonce(bytes string) string {
	body, _ := json.Marshal(map[string]any{"nonce": []byte(bytes)})
	return string(body)
}

func TestATokenIsOverTheNonceOfTheWorkload(t *testing.T) {
	g := &giving{token: "e30.e30.AAAA"}
	status, answer := tokens(t, g).call("POST", "/v1/token", nonce("12345678"))
	if status != 200 || string(answer) != `{"token":"e30.e30.AAAA"}` || len(g.asked) != 1 || string(g.asked[0]) != "12345678" {
		t.Errorf("got %d %s for %s", status, answer, g.asked)
	}
}

func TestATokenIsRefusedByItsRule(t *testing.T) {
	plain(t).refused("POST", "/v1/token", nonce("12345678"), 403, "tokens-not-permitted")
	for _, c := range []struct {
		err    error
		status int
		code   string
	}{
		{&kbs.Refusal{Status: 403, Code: "kbs-denied"}, 403, "token-refused"},
		{&kbs.Refusal{Status: 503, Code: "kbs-busy"}, 502, "broker-failed"},
		{kbs.ErrAnswer, 502, "broker-failed"},
		{errors.New("no route"), 502, "broker-failed"},
		{errors.Join(kbs.ErrEvidence, errors.New("busy")), 503, "processor-unavailable"},
	} {
		tokens(t, &giving{err: c.err}).refused("POST", "/v1/token", nonce("12345678"), c.status, c.code)
	}
	g := &giving{}
	a := tokens(t, g)
	for _, bytes := range []string{"", "1234567", strings.Repeat("x", 65)} {
		a.refused("POST", "/v1/token", nonce(bytes), 400, "nonce-length")
	}
	a.refused("POST", "/v1/token", `{"nonce":"AAAAAAAAAAA=","audience":"x"}`, 400, "malformed")
	if len(g.asked) > 0 {
		t.Errorf("asked %s", g.asked)
	}
}

func TestTokensAreLimited(t *testing.T) {
	g := &giving{token: "e30.e30.AAAA"}
	a := tokens(t, g)
	a.services.Tokens.rate = evidence.NewBucket(tokensAtOnce, 0)
	for range tokensAtOnce {
		if status, answer := a.call("POST", "/v1/token", nonce("12345678")); status != 200 {
			t.Errorf("got %d %s", status, answer)
		}
	}
	a.refused("POST", "/v1/token", nonce("12345678"), 429, "rate-limited")
}
