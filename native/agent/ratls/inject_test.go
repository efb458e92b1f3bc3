package ratls

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"strings"
	"testing"

	"a3s.dev/box/agent/launchspec"
	"a3s.dev/box/agent/secrets"
	"a3s.dev/box/agent/users"
)

// injector is who has a key.
type injector struct {
	spki []byte
	sign func(message []byte) []byte
}

func (i *injector) digest() string {
	sum := sha256.Sum256(i.spki)
	return hex.EncodeToString(sum[:])
}

func newInjector(t *testing.T, kind string) *injector {
	t.Helper()
	var key crypto.Signer
	var sign func(message []byte) []byte
	p1363 := func(curve elliptic.Curve, hash func([]byte) []byte) {
		own, err := ecdsa.GenerateKey(curve, rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		size := curve.Params().BitSize / 8
		key, sign = own, func(message []byte) []byte {
			r, s, err := ecdsa.Sign(rand.Reader, own, hash(message))
			if err != nil {
				t.Fatal(err)
			}
			return append(r.FillBytes(make([]byte, size)), s.FillBytes(make([]byte, size))...)
		}
	}
	switch kind {
	case "Ed25519":
		_, own, err := ed25519.GenerateKey(rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		key, sign = own, func(message []byte) []byte { return ed25519.Sign(own, message) }
	case "P-256":
		p1363(elliptic.P256(), func(m []byte) []byte { sum := sha256.Sum256(m); return sum[:] })
	case "P-384":
		p1363(elliptic.P384(), func(m []byte) []byte { sum := sha512.Sum384(m); return sum[:] })
	}
	spki, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		t.Fatal(err)
	}
	return &injector{spki, sign}
}

// body is an injection over a connection.
func (i *injector) body(p *peer, name string, value []byte) map[string]any {
	about := injection{
		p.export("EXPORTER-a3s-box-inject-v1", []byte(name)), p.certificate().RawSubjectPublicKeyInfo, instance, sha256.Sum256(specText),
		name, value,
	}
	return map[string]any{"value": value, "key": i.spki, "signature": i.sign(about.message())}
}

func wanted(name string, injectors ...*injector) launchspec.Secret {
	secret := launchspec.Secret{Name: name, AllowAnyInjector: len(injectors) == 0, Target: launchspec.SecretTarget{Kind: launchspec.TargetEnv}}
	for _, i := range injectors {
		secret.Injectors = append(secret.Injectors, i.digest())
	}
	variable := strings.ToUpper(name)
	secret.Target.Variable = &variable
	return secret
}

func (p *peer) inject(name string, body any) {
	p.t.Helper()
	if status, answer, _ := p.call("PUT", "/secrets/"+name, body); status != 204 || len(answer) != 0 {
		p.t.Errorf("got %d %s", status, answer)
	}
}

func TestASecretOfEachKindOfKeyArrives(t *testing.T) {
	for _, kind := range []string{"Ed25519", "P-256", "P-384"} {
		broker := newInjector(t, kind)
		g := serve(t, guestOptions{secrets: []launchspec.Secret{wanted("token", newInjector(t, kind), broker)}})
		p := g.connect(clientConfig())
		p.attest(nonce)
		p.inject("token", broker.body(p, "token", []byte("correct horse")))
		environment, err := g.store.HandOver(nil, users.User{})
		if err != nil || len(environment) != 1 || environment[0] != "TOKEN=correct horse" {
			t.Errorf("%s: got %v, %v", kind, environment, err)
		}
	}
}

func TestTheLargestSecretArrives(t *testing.T) {
	broker := newInjector(t, "P-384")
	g := serve(t, guestOptions{secrets: []launchspec.Secret{wanted("token", broker), wanted("other", broker)}})
	p := g.connect(clientConfig())
	p.attest(nonce)
	p.refused("PUT", "/secrets/token", broker.body(p, "token", []byte(strings.Repeat("x", secrets.MaxValue+1))), 413, "secret-too-large")
	p.inject("token", broker.body(p, "token", []byte(strings.Repeat("x", secrets.MaxValue))))
	p.refused("PUT", "/secrets/other", strings.Repeat(" ", maxInjection+1), 413, "too-large")
}

func TestASecondInjectionIsRefused(t *testing.T) {
	broker := newInjector(t, "Ed25519")
	g := serve(t, guestOptions{secrets: []launchspec.Secret{wanted("token", broker), wanted("other", broker)}})
	p := g.connect(clientConfig())
	p.attest(nonce)
	body := broker.body(p, "token", []byte("first"))
	p.inject("token", body)
	p.refused("PUT", "/secrets/token", body, 409, "secret-already-delivered")
	p.refused("PUT", "/secrets/token", broker.body(p, "token", []byte("second")), 409, "secret-already-delivered")
	again := g.connect(clientConfig())
	again.attest(nonce)
	again.refused("PUT", "/secrets/token", broker.body(again, "token", []byte("second")), 409, "secret-already-delivered")
	// Who is not named learns nothing of it.
	p.refused("PUT", "/secrets/token", newInjector(t, "Ed25519").body(p, "token", []byte{}), 403, "injector-not-permitted")
}

func TestNothingIsTakenBeforeTheGuestWasChallenged(t *testing.T) {
	broker := newInjector(t, "Ed25519")
	g := serve(t, guestOptions{secrets: []launchspec.Secret{wanted("token", broker), wanted("any")}})
	p := g.connect(clientConfig())
	for range 2 {
		p.refused("PUT", "/secrets/token", broker.body(p, "token", []byte("x")), 403, "not-attested")
		p.refused("PUT", "/secrets/any", map[string]any{"value": []byte("x")}, 403, "not-attested")
		p.refused("PUT", "/secrets/nope", nil, 403, "not-attested")
	}
	// Another connection's challenge does not count, nor does one that failed.
	g.connect(clientConfig()).attest(nonce)
	p.refused("POST", "/attest", `{}`, 400, "malformed")
	p.refused("PUT", "/secrets/token", broker.body(p, "token", []byte("x")), 403, "not-attested")
	p.attest(nonce)
	p.inject("token", broker.body(p, "token", []byte("x")))
}

func TestAnInjectionWithoutProofIsRefused(t *testing.T) {
	broker, stranger, colleague := newInjector(t, "P-256"), newInjector(t, "P-256"), newInjector(t, "P-256")
	g := serve(t, guestOptions{secrets: []launchspec.Secret{wanted("any"), wanted("other", colleague), wanted("token", broker)}})
	p, elsewhere := g.connect(clientConfig()), g.connect(clientConfig())
	p.attest(nonce)
	value := []byte("x")
	with := func(key string, with any) map[string]any {
		body := broker.body(p, "token", value)
		if body[key] = with; with == nil {
			delete(body, key)
		}
		return body
	}
	for name, c := range map[string]struct {
		secret string
		body   any
		status int
		code   string
	}{
		"a key that is not permitted":                   {"token", stranger.body(p, "token", value), 403, "injector-not-permitted"},
		"a key of another secret":                       {"token", colleague.body(p, "token", value), 403, "injector-not-permitted"},
		"a permitted key with the signature of another": {"token", with("signature", stranger.body(p, "token", value)["signature"]), 403, "injector-signature-invalid"},
		"a signature for another connection":            {"token", broker.body(elsewhere, "token", value), 403, "injector-signature-invalid"},
		"a signature for another secret":                {"token", broker.body(p, "other", value), 403, "injector-signature-invalid"},
		"a signature for another value":                 {"token", with("value", []byte("y")), 403, "injector-signature-invalid"},
		"an empty signature":                            {"token", with("signature", ""), 403, "injector-signature-invalid"},
		"no signature":                                  {"token", with("signature", nil), 400, "injector-key-missing"},
		"no key":                                        {"token", with("key", nil), 400, "injector-key-missing"},
		"neither key nor signature":                     {"token", map[string]any{"value": value}, 400, "injector-key-missing"},
		"no value":                                      {"token", with("value", nil), 400, "malformed"},
		"an unknown member":                             {"token", with("nonce", "x"), 400, "malformed"},
		"a malformed key":                               {"token", with("key", []byte("key")), 400, "injector-key-malformed"},
		"nothing":                                       {"token", nil, 400, "malformed"},
		"an unknown secret":                             {"nope", broker.body(p, "nope", value), 404, "no-such-secret"},
		"an invalid signature that is not required":     {"any", broker.body(p, "token", value), 403, "injector-signature-invalid"},
		"a key without a signature, neither required":   {"any", map[string]any{"value": value, "key": broker.spki}, 400, "injector-key-missing"},
		"a NUL in a variable":                           {"token", broker.body(p, "token", []byte{0}), 400, "value-invalid"},
	} {
		t.Run(name, func(t *testing.T) {
			p.t = t
			p.refused("PUT", "/secrets/"+c.secret, c.body, c.status, c.code)
		})
	}
	for _, secret := range g.store.Status().Secrets {
		if secret.Delivered {
			t.Errorf("%s was delivered", secret.Name)
		}
	}
}

func TestAnyoneMayInjectASecretThatNamesNoInjector(t *testing.T) {
	g := serve(t, guestOptions{secrets: []launchspec.Secret{wanted("bare"), wanted("signed")}})
	p := g.connect(clientConfig())
	p.attest(nonce)
	p.inject("bare", map[string]any{"value": []byte("x")})
	p.inject("signed", newInjector(t, "Ed25519").body(p, "signed", []byte("x")))
	if state := g.store.Status().State; state != secrets.Ready {
		t.Errorf("got %s", state)
	}
}

func TestNothingIsTakenTooLate(t *testing.T) {
	broker := newInjector(t, "Ed25519")
	g := serve(t, guestOptions{secrets: []launchspec.Secret{wanted("token", broker)}})
	p := g.connect(clientConfig())
	p.attest(nonce)
	if err := g.store.Wipe(); err != nil {
		t.Fatal(err)
	}
	p.refused("PUT", "/secrets/token", broker.body(p, "token", []byte("x")), 409, "secrets-closed")
}

func TestTheAttemptsOfAConnectionAreLimited(t *testing.T) {
	few := patient
	few.injections = rate{2, 0}
	g := serve(t, guestOptions{bounds: few, secrets: []launchspec.Secret{wanted("token", newInjector(t, "Ed25519"))}})
	p := g.connect(clientConfig())
	p.attest(nonce)
	for range 2 {
		p.refused("PUT", "/secrets/token", newInjector(t, "Ed25519").body(p, "token", []byte{}), 403, "injector-not-permitted")
	}
	p.refused("PUT", "/secrets/token", `{}`, 429, "rate-limited")
}

func TestInfoTellsWhoMayAndWhatIsThere(t *testing.T) {
	g := serve(t, guestOptions{simulated: true, secrets: []launchspec.Secret{wanted("any"), wanted("token", newInjector(t, "Ed25519"))}})
	p := g.connect(clientConfig())
	p.attest(nonce)
	p.inject("any", map[string]any{"value": []byte("correct horse")})
	status, answer, header := p.call("GET", "/info", nil)
	digest := sha256.Sum256(specText)
	want := `{"protocol":1,"tee":"simulated","instance":"01020300000000000000000000000000","specDigest":"` +
		hex.EncodeToString(digest[:]) + `","state":"waiting","secrets":[{"name":"any","delivered":true,"allowAnyInjector":true},` +
		`{"name":"token","delivered":false,"allowAnyInjector":false}]}`
	if status != 200 || string(answer) != want || header.Get("Cache-Control") != "no-store" || !json.Valid(answer) {
		t.Errorf("got %d %s, want %s", status, answer, want)
	}
}
