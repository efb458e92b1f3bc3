package kbs

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/ecdh"
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"maps"
	"strings"
	"testing"

	"a3s.dev/box/agent/evidence"
	"a3s.dev/box/agent/secrets"
)

const testResource = "default/db/key/one"

func unhex(t testing.TB, text string) []byte {
	t.Helper()
	decoded, err := hex.DecodeString(text)
	if err != nil {
		t.Fatal(err)
	}
	return decoded
}

// RFC 3394, section 4.6.
func TestUnwrapDoesAsTheSpecificationSays(t *testing.T) {
	kek := [32]byte(unhex(t, "000102030405060708090A0B0C0D0E0F101112131415161718191A1B1C1D1E1F"))
	wrapped := unhex(t, "28C9F404C4B810F4CBCCB35CFB87F8263F5786E2D80ED326CBC7F0E71A99F43BFB988B9B7A02DD21")
	want := unhex(t, "00112233445566778899AABBCCDDEEFF000102030405060708090A0B0C0D0E0F")
	if key, err := unwrap(kek, wrapped); err != nil || !bytes.Equal(key[:], want) {
		t.Errorf("got %x, %v", key, err)
	}
	for index := range wrapped {
		changed := bytes.Clone(wrapped)
		changed[index] ^= 1
		if key, err := unwrap(kek, changed); !errors.Is(err, errWrap) || key != ([32]byte{}) {
			t.Errorf("byte %d: got %x, %v", index, key, err)
		}
	}
	for _, size := range []int{0, 8, 32, 39, 48} {
		if _, err := unwrap(kek, make([]byte, size)); !errors.Is(err, errWrap) {
			t.Errorf("%d bytes: got %v", size, err)
		}
	}
}

func newKey(t testing.TB) *ecdh.PrivateKey {
	t.Helper()
	key, err := ecdh.P256().GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// wrap is the wrapping of RFC 3394.
func wrap(t testing.TB, kek, key [32]byte) []byte {
	t.Helper()
	block, err := aes.NewCipher(kek[:])
	if err != nil {
		t.Fatal(err)
	}
	wrapped := append(bytes.Clone(wrapIV[:]), key[:]...)
	for round := range 6 {
		for index := 1; index <= 4; index++ {
			in := append(bytes.Clone(wrapped[:8]), wrapped[8*index:8*index+8]...)
			block.Encrypt(in, in)
			in[7] ^= byte(4*round + index)
			copy(wrapped, in[:8])
			copy(wrapped[8*index:], in[8:])
		}
	}
	return wrapped
}

// seal encrypts as a broker does. `edit` changes the header first.
func seal(t testing.TB, to *ecdh.PublicKey, plain []byte, edit func(header map[string]any)) map[string]any {
	t.Helper()
	own := newKey(t)
	shared, err := own.ECDH(to)
	if err != nil {
		t.Fatal(err)
	}
	key := [32]byte{1, 2, 3}
	jwk := evidence.KeyForBroker(own.PublicKey())
	head := map[string]any{
		"alg": algorithm, "enc": encryption, "resource": testResource,
		"epk": map[string]any{"crv": jwk.Curve, "kty": jwk.Type, "x": jwk.X, "y": jwk.Y},
	}
	if edit != nil {
		edit(head)
	}
	text, err := json.Marshal(head)
	if err != nil {
		t.Fatal(err)
	}
	encode := base64.RawURLEncoding.EncodeToString
	protected := encode(text)
	block, err := aes.NewCipher(key[:])
	if err != nil {
		t.Fatal(err)
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		t.Fatal(err)
	}
	iv := make([]byte, ivBytes)
	out := aead.Seal(nil, iv, plain, []byte(protected))
	return map[string]any{
		"protected": protected, "encrypted_key": encode(wrap(t, concatKDF(shared), key)), "iv": encode(iv),
		"ciphertext": encode(out[:len(plain)]), "tag": encode(out[len(plain):]),
	}
}

func textOf(t testing.TB, value any) []byte {
	t.Helper()
	text, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func TestOpenDecryptsWhatABrokerEncrypted(t *testing.T) {
	key := newKey(t)
	for _, plain := range []string{"", "hunter2", strings.Repeat("x", secrets.MaxValue)} {
		answer := textOf(t, seal(t, key.PublicKey(), []byte(plain), nil))
		if len(answer) > maxResource {
			t.Errorf("the largest answer has %d bytes", len(answer))
		}
		got, err := open(answer, key, testResource, "")
		if err != nil || string(got) != plain {
			t.Errorf("%d bytes: got %d, %v", len(plain), len(got), err)
		}
	}
}

func TestOpenRefusesWhatABrokerDoesNotSend(t *testing.T) {
	key := newKey(t)
	for name, edit := range map[string]func(header map[string]any){
		"another algorithm":          func(h map[string]any) { h["alg"] = "dir" },
		"none":                       func(h map[string]any) { h["alg"] = "none" },
		"a deprecated algorithm":     func(h map[string]any) { h["alg"] = "RSA1_5" },
		"an agreement without wrap":  func(h map[string]any) { h["alg"] = "ECDH-ES" },
		"another encryption":         func(h map[string]any) { h["enc"] = "A128CBC-HS256" },
		"compression":                func(h map[string]any) { h["zip"] = "DEF" },
		"a critical extension":       func(h map[string]any) { h["crit"] = []string{"exp"} },
		"a key id":                   func(h map[string]any) { h["kid"] = "1" },
		"a party":                    func(h map[string]any) { h["apu"] = "QQ" },
		"no resource":                func(h map[string]any) { delete(h, "resource") },
		"no key":                     func(h map[string]any) { delete(h, "epk") },
		"another curve":              func(h map[string]any) { h["epk"].(map[string]any)["crv"] = "P-521" },
		"another kind of key":        func(h map[string]any) { h["epk"].(map[string]any)["kty"] = "OKP" },
		"a key with a private part":  func(h map[string]any) { h["epk"].(map[string]any)["d"] = "AA" },
		"a point off the curve":      func(h map[string]any) { h["epk"].(map[string]any)["y"] = strings.Repeat("A", 43) },
		"a short coordinate":         func(h map[string]any) { h["epk"].(map[string]any)["x"] = "AA" },
		"a coordinate with an end":   func(h map[string]any) { h["epk"].(map[string]any)["x"] = strings.Repeat("A", 43) + "\n" },
		"a coordinate with padding":  func(h map[string]any) { h["epk"].(map[string]any)["x"] = strings.Repeat("A", 43) + "=" },
		"a header that is too large": func(h map[string]any) { h["resource"] = strings.Repeat("x", maxHeaderText) },
	} {
		answer := textOf(t, seal(t, key.PublicKey(), []byte("x"), edit))
		if got, err := open(answer, key, testResource, ""); !errors.Is(err, errNotSealed) || got != nil {
			t.Errorf("%s: got %q, %v", name, got, err)
		}
	}
	other := textOf(t, seal(t, key.PublicKey(), []byte("x"), func(h map[string]any) { h["resource"] = "default/db/key/two" }))
	if _, err := open(other, key, testResource, ""); !errors.Is(err, errResource) {
		t.Errorf("another resource: got %v", err)
	}
	for asked, named := range map[string]string{"": volumeKey, volumeKey: "", "secret": "secrets"} {
		answer := textOf(t, seal(t, key.PublicKey(), []byte("x"), func(h map[string]any) {
			if named != "" {
				h["kind"] = named
			}
		}))
		if got, err := open(answer, key, testResource, asked); !errors.Is(err, ErrKind) || got != nil {
			t.Errorf("%q in place of %q: got %q, %v", named, asked, got, err)
		}
		if got, err := open(answer, key, testResource, named); err != nil || string(got) != "x" {
			t.Errorf("%q: got %q, %v", named, got, err)
		}
	}
	if _, err := open(textOf(t, seal(t, newKey(t).PublicKey(), []byte("x"), nil)), key, testResource, ""); !errors.Is(err, errDecryption) {
		t.Errorf("another guest's: got %v", err)
	}
	large := textOf(t, seal(t, key.PublicKey(), make([]byte, secrets.MaxValue+1), nil))
	if _, err := open(large, key, testResource, ""); !errors.Is(err, secrets.ErrTooLarge) {
		t.Errorf("a large one: got %v", err)
	}
}

func TestOpenRefusesEveryChangeOfAnAnswer(t *testing.T) {
	key := newKey(t)
	whole := seal(t, key.PublicKey(), []byte("hunter2"), nil)
	for member, value := range whole {
		missing := maps.Clone(whole)
		delete(missing, member)
		changed := maps.Clone(whole)
		text := []byte(value.(string))
		text[len(text)/2] ^= 1
		changed[member] = string(text)
		truncated := maps.Clone(whole)
		truncated[member] = string(text[:len(text)-1])
		for name, edited := range map[string]map[string]any{"missing": missing, "changed": changed, "truncated": truncated} {
			if got, err := open(textOf(t, edited), key, testResource, ""); err == nil {
				t.Errorf("%s %s: got %q", member, name, got)
			}
		}
	}
	for _, member := range []string{"unprotected", "header", "recipients", "aad"} {
		more := maps.Clone(whole)
		more[member] = ""
		if _, err := open(textOf(t, more), key, testResource, ""); !errors.Is(err, errNotSealed) {
			t.Errorf("with %s: got %v", member, err)
		}
	}
	answer := textOf(t, whole)
	for length := range answer {
		if _, err := open(answer[:length], key, testResource, ""); err == nil {
			t.Errorf("%d bytes are accepted", length)
		}
	}
	for _, twice := range []string{`"iv":"AAAAAAAAAAAAAAAA",`, `"IV":"AAAAAAAAAAAAAAAA",`} {
		text := append([]byte("{"+twice), answer[1:]...)
		if _, err := open(text, key, testResource, ""); !errors.Is(err, errNotSealed) {
			t.Errorf("%s: got %v", twice, err)
		}
	}
}

func FuzzOpen(f *testing.F) {
	// Constant, so that what is found can be found again.
	key, err := ecdh.P256().NewPrivateKey(bytes.Repeat([]byte{7}, 32))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(textOf(f, seal(f, key.PublicKey(), []byte("hunter2"), nil)))
	f.Add(textOf(f, seal(f, key.PublicKey(), nil, func(h map[string]any) { h["kid"] = "1" })))
	f.Add([]byte(`{"protected":"","encrypted_key":"","iv":"","ciphertext":"","tag":""}`))
	f.Fuzz(func(t *testing.T, answer []byte) {
		given := bytes.Clone(answer)
		got, err := open(answer, key, testResource, "")
		if err == nil && string(got) != "hunter2" || err != nil && got != nil {
			t.Errorf("got %q, %v", got, err)
		}
		if !bytes.Equal(answer, given) {
			t.Error("the bytes were changed")
		}
	})
}
