package ratls

import (
	"bytes"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"errors"
	"net/url"
	"testing"

	"a3s.dev/box/agent/jsonapi"
	"a3s.dev/box/agent/strictjson"
)

// FuzzInjectorKey: a key that is taken has this one encoding, and the digest of it.
func FuzzInjectorKey(f *testing.F) {
	for _, v := range injectionVectors(f) {
		f.Add(v.Key)
	}
	f.Fuzz(func(t *testing.T, spki []byte) {
		key, err := parseInjectorKey(spki)
		if err != nil {
			var refusal *jsonapi.Error
			if !errors.As(err, &refusal) || refusal.Code != "injector-key-malformed" {
				t.Fatalf("got %v", err)
			}
			return
		}
		parsed, err := x509.ParsePKIXPublicKey(spki)
		if err != nil {
			t.Fatal(err)
		}
		again, err := x509.MarshalPKIXPublicKey(parsed)
		if sum := sha256.Sum256(spki); err != nil || !bytes.Equal(again, spki) || key.digest != hex.EncodeToString(sum[:]) {
			t.Fatalf("took %x, which is encoded %x", spki, again)
		}
	})
}

// FuzzSignature: no key takes a signature that was changed, nor falls over one.
func FuzzSignature(f *testing.F) {
	for _, v := range injectionVectors(f) {
		f.Add(v.Key, v.Message, v.Signature)
	}
	f.Fuzz(func(t *testing.T, spki, message, signature []byte) {
		key, err := parseInjectorKey(spki)
		if err != nil || !key.verify(message, signature) {
			return
		}
		if key.verify(append(bytes.Clone(message), 0), signature) || key.verify(message, append(bytes.Clone(signature), 0)) {
			t.Fatal("it takes another message, or another signature, as well")
		}
	})
}

// FuzzBodies: what is taken, the standard library reads the same.
func FuzzBodies(f *testing.F) {
	f.Add([]byte(`{"nonce":"BQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQU="}`))
	f.Add([]byte(`{"value":"eA==","key":"eA==","signature":"eA=="}`))
	f.Add([]byte(`{"value":""}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		var got, want injected
		if strictjson.Decode(data, &got) == nil {
			if err := json.Unmarshal(data, &want); err != nil || !bytes.Equal(got.Value, want.Value) {
				t.Fatalf("read %q as %q, encoding/json as %q, %v", data, got.Value, want.Value, err)
			}
		}
		var c, other challenge
		if strictjson.Decode(data, &c) == nil {
			if err := json.Unmarshal(data, &other); err != nil || !bytes.Equal(c.Nonce, other.Nonce) {
				t.Fatalf("read %q as %x, encoding/json as %x, %v", data, c.Nonce, other.Nonce, err)
			}
		}
	})
}

// FuzzPaths: every path has one route or none, and no name has a slash in it.
func FuzzPaths(f *testing.F) {
	for _, path := range []string{"/attest", "/info", "/secrets/token", "/secrets/", "/secrets/a%2fb", "//attest"} {
		f.Add("PUT", path)
	}
	f.Fuzz(func(t *testing.T, method, path string) {
		parsed, err := url.ParseRequestURI(path)
		if err != nil {
			return
		}
		route, name, err := find(method, parsed.Path)
		if err != nil {
			if route != nil || err != jsonapi.ErrNotFound && err != jsonapi.ErrMethod {
				t.Fatalf("got %v, %v", route, err)
			}
			return
		}
		if route.method != method || bytes.ContainsRune([]byte(name), '/') {
			t.Fatalf("%s %q is %s %s of %q", method, path, route.method, route.path, name)
		}
	})
}
