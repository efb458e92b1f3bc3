package ratls

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"a3s.dev/box/agent/sealing"
)

// call is a call of a sealer over a connection.
func (i *injector) call(p *peer, operation string, body map[string]any, arguments ...[]byte) map[string]any {
	about := sealCall{
		p.export("EXPORTER-a3s-box-seal-v1", []byte(operation)), p.certificate().RawSubjectPublicKeyInfo, instance, sha256.Sum256(specText),
		operation, arguments,
	}
	body["key"], body["signature"] = i.spki, i.sign(about.message())
	return body
}

func (i *injector) seal(p *peer, policy string, svn *int64, value []byte) map[string]any {
	body := map[string]any{"purpose": "db/key", "policy": policy, "value": value}
	text := []byte{}
	if svn != nil {
		body["minimumSvn"] = *svn
		text = strconv.AppendInt(text, *svn, 10)
	}
	return i.call(p, "seal", body, []byte("db/key"), []byte(policy), text, value)
}

func (i *injector) unseal(p *peer, purpose string, envelope []byte) map[string]any {
	body := map[string]any{"purpose": purpose, "envelope": envelope}
	return i.call(p, "unseal", body, []byte(purpose), envelope)
}

// answered is the answer to a call that succeeds.
func (p *peer) answered(path string, body map[string]any) []byte {
	p.t.Helper()
	status, answer, header := p.call("POST", path, body)
	var document struct{ Envelope, Value []byte }
	if err := json.Unmarshal(answer, &document); err != nil || status != 200 || header.Get("Cache-Control") != "no-store" {
		p.t.Fatalf("%s: got %d %s, %v", path, status, answer, err)
	}
	return append(document.Envelope, document.Value...)
}

func TestASealerOfEachKindOfKeySealsAndUnseals(t *testing.T) {
	svn := int64(2)
	for _, kind := range []string{"Ed25519", "P-256", "P-384"} {
		owner := newInjector(t, kind)
		g := serve(t, guestOptions{sealing: "upgradable", sealers: []*injector{newInjector(t, kind), owner}})
		p := g.connect(clientConfig())
		p.attest(nonce)
		for _, value := range [][]byte{{}, []byte("correct horse"), make([]byte, sealing.MaxValue)} {
			envelope := p.answered("/seal", owner.seal(p, "exact", nil, value))
			// Another connection of another time.
			again := g.connect(clientConfig())
			again.attest(nonce)
			if got := again.answered("/unseal", owner.unseal(again, "db/key", envelope)); !bytes.Equal(got, value) {
				t.Errorf("%s: got %d bytes", kind, len(got))
			}
		}
		p.answered("/seal", owner.seal(p, "upgradable", &svn, []byte("x")))
	}
}

func TestNothingIsSealedForWhomTheLaunchSpecDoesNotName(t *testing.T) {
	owner, stranger := newInjector(t, "P-256"), newInjector(t, "P-256")
	g := serve(t, guestOptions{sealing: "exact", sealers: []*injector{owner}})
	p, elsewhere := g.connect(clientConfig()), g.connect(clientConfig())
	p.refused("POST", "/unseal", owner.unseal(p, "db/key", nil), 403, "not-attested")
	p.refused("POST", "/seal", owner.seal(p, "exact", nil, nil), 403, "not-attested")
	p.attest(nonce)
	value := []byte("x")
	envelope := p.answered("/seal", owner.seal(p, "exact", nil, value))
	with := func(body map[string]any, key string, with any) map[string]any {
		if body[key] = with; with == nil {
			delete(body, key)
		}
		return body
	}
	unseal := func() map[string]any { return owner.unseal(p, "db/key", envelope) }
	seal := func() map[string]any { return owner.seal(p, "exact", nil, value) }
	for name, c := range map[string]struct {
		path   string
		body   any
		status int
		code   string
	}{
		"a key that is not named":               {"/unseal", stranger.unseal(p, "db/key", envelope), 403, "sealer-not-permitted"},
		"the signature of another key":          {"/unseal", with(unseal(), "signature", stranger.unseal(p, "db/key", envelope)["signature"]), 403, "sealer-signature-invalid"},
		"a signature for another connection":    {"/unseal", owner.unseal(elsewhere, "db/key", envelope), 403, "sealer-signature-invalid"},
		"a signature for another operation":     {"/unseal", with(unseal(), "signature", seal()["signature"]), 403, "sealer-signature-invalid"},
		"a signature for another purpose":       {"/unseal", with(unseal(), "purpose", "tls/key"), 403, "sealer-signature-invalid"},
		"a signature for another envelope":      {"/unseal", with(unseal(), "envelope", []byte("y")), 403, "sealer-signature-invalid"},
		"a signature for another value":         {"/seal", with(seal(), "value", []byte("y")), 403, "sealer-signature-invalid"},
		"a signature for another policy":        {"/seal", with(seal(), "policy", "upgradable"), 403, "sealer-signature-invalid"},
		"a signature without the SVN":           {"/seal", with(seal(), "minimumSvn", 0), 403, "sealer-signature-invalid"},
		"no key":                                {"/unseal", with(unseal(), "key", nil), 400, "sealer-key-missing"},
		"no signature":                          {"/seal", with(seal(), "signature", nil), 400, "sealer-key-missing"},
		"a malformed key":                       {"/seal", with(seal(), "key", []byte("key")), 400, "sealer-key-malformed"},
		"an unknown member":                     {"/seal", with(seal(), "tee", "sev-snp"), 400, "malformed"},
		"another purpose":                       {"/unseal", owner.unseal(p, "tls/key", envelope), 403, "sealed-purpose"},
		"no purpose":                            {"/unseal", owner.unseal(p, "", envelope), 400, "purpose-malformed"},
		"no envelope":                           {"/unseal", owner.unseal(p, "db/key", []byte{}), 400, "envelope-malformed"},
		"a changed envelope":                    {"/unseal", owner.unseal(p, "db/key", append(bytes.Clone(envelope), 0)), 403, "seal-broken"},
		"more than the launch spec permits":     {"/seal", owner.seal(p, "upgradable", nil, value), 403, "sealing-policy"},
		"an unknown policy":                     {"/seal", owner.seal(p, "any", nil, value), 400, "policy-unknown"},
		"a value that is too large":             {"/seal", owner.seal(p, "exact", nil, make([]byte, sealing.MaxValue+1)), 413, "value-too-large"},
		"a body that is larger than any can be": {"/seal", string(bytes.Repeat([]byte(" "), maxSealing+1)), 413, "too-large"},
	} {
		t.Run(name, func(t *testing.T) {
			p.t = t
			p.refused("POST", c.path, c.body, c.status, c.code)
		})
	}
}

func TestAGuestWhoseSpecNamesNobodySealsForNobody(t *testing.T) {
	owner := newInjector(t, "Ed25519")
	for code, o := range map[string]guestOptions{
		"sealing-policy":       {sealers: []*injector{owner}},
		"sealer-not-permitted": {sealing: "exact"},
	} {
		p := serve(t, o).connect(clientConfig())
		p.attest(nonce)
		p.refused("POST", "/seal", owner.seal(p, "exact", nil, []byte{}), 403, code)
		p.refused("POST", "/unseal", owner.unseal(p, "db/key", []byte{}), 403, code)
	}
}

func TestTheSealingOfAConnectionIsLimited(t *testing.T) {
	few := patient
	few.injections = rate{1, 0}
	p := serve(t, guestOptions{bounds: few, sealing: "exact"}).connect(clientConfig())
	p.attest(nonce)
	p.refused("POST", "/seal", `{}`, 400, "malformed")
	p.refused("POST", "/seal", `{}`, 429, "rate-limited")
	p.refused("POST", "/unseal", `{}`, 429, "rate-limited")
}

// TestCallsAreSignedAsTheVectorsSay: both ends sign the same bytes.
func TestCallsAreSignedAsTheVectorsSay(t *testing.T) {
	files, err := filepath.Glob("../../../test/vectors/ratls/seal-call/*.json")
	if err != nil || len(files) == 0 {
		t.Fatalf("got %d vectors, %v", len(files), err)
	}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var v struct {
			Input struct {
				Exporter, AgentKey              []byte
				Instance, SpecDigest, Operation string
				Arguments                       [][]byte
			}
			Message []byte
		}
		if err := json.Unmarshal(data, &v); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		about := sealCall{
			v.Input.Exporter, v.Input.AgentKey, [16]byte(unhex(t, v.Input.Instance)), [32]byte(unhex(t, v.Input.SpecDigest)),
			v.Input.Operation, v.Input.Arguments,
		}
		if !bytes.Equal(about.message(), v.Message) {
			t.Errorf("%s: got %s", file, hex.EncodeToString(about.message()))
		}
	}
}
