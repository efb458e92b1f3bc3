package ratls

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"a3s.dev/box/agent/jsonapi"
)

// injectionVector is a case of test/vectors/ratls/injection.
type injectionVector struct {
	Input struct {
		Exporter, AgentKey, Value    []byte
		Instance, SpecDigest, Secret string
	}
	Message, Key, Signature []byte
	Expected                json.RawMessage
}

func injectionVectors(t testing.TB) map[string]injectionVector {
	t.Helper()
	files, err := filepath.Glob("../../../test/vectors/ratls/injection/*.json")
	if err != nil || len(files) == 0 {
		t.Fatalf("got %d vectors, %v", len(files), err)
	}
	vectors := map[string]injectionVector{}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var v injectionVector
		if err := json.Unmarshal(data, &v); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		vectors[strings.TrimSuffix(filepath.Base(file), ".json")] = v
	}
	return vectors
}

func unhex(t *testing.T, text string) []byte {
	t.Helper()
	data, err := hex.DecodeString(text)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// decide answers as the vectors do: a digest, or a code.
func (v *injectionVector) decide(message []byte) (digest, code string) {
	key, err := parseInjectorKey(v.Key)
	var refusal *jsonapi.Error
	if errors.As(err, &refusal) {
		return "", refusal.Code
	}
	if !key.verify(message, v.Signature) {
		return "", errSignature.Code
	}
	return key.digest, ""
}

func TestInjectionsAreDecidedAsTheVectorsSay(t *testing.T) {
	for name, v := range injectionVectors(t) {
		t.Run(name, func(t *testing.T) {
			about := injection{
				v.Input.Exporter, v.Input.AgentKey, [16]byte(unhex(t, v.Input.Instance)), [32]byte(unhex(t, v.Input.SpecDigest)),
				v.Input.Secret, v.Input.Value,
			}
			if !bytes.Equal(about.message(), v.Message) {
				t.Errorf("got the message %x, want %x", about.message(), v.Message)
			}
			digest, code := v.decide(v.Message)
			var want struct{ KeyDigest string }
			var wantCode string
			if json.Unmarshal(v.Expected, &wantCode) != nil {
				if err := json.Unmarshal(v.Expected, &want); err != nil {
					t.Fatal(err)
				}
			}
			if digest != want.KeyDigest || code != wantCode {
				t.Errorf("got %q %q, want %q %q", digest, code, want.KeyDigest, wantCode)
			}
		})
	}
}
