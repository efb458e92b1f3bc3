package evidence

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const vectors = "../../../test/vectors/ratls"

// eachVector reads the cases of an area, each into a vector of its own.
func eachVector[V any](t *testing.T, area string, check func(t *testing.T, vector V)) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(vectors, area, "*.json"))
	if err != nil || len(files) == 0 {
		t.Fatalf("got %d vectors in %s, %v", len(files), area, err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".json"), func(t *testing.T) {
			data, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			var vector V
			if err := json.Unmarshal(data, &vector); err != nil {
				t.Fatal(err)
			}
			check(t, vector)
		})
	}
}

func unhex(t *testing.T, text string) []byte {
	t.Helper()
	data, err := hex.DecodeString(text)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func TestReportDataIsThatOfTheVectors(t *testing.T) {
	type vector struct {
		Input struct {
			Purpose, Role, Instance, SpecDigest string
			SPKI                                []byte `json:"spki"`
			Nonce, Exporter                     []byte
		}
		Expected string
	}
	eachVector(t, "report-data", func(t *testing.T, v vector) {
		b := binding{v.Input.Purpose, v.Input.SPKI, v.Input.Nonce, v.Input.Exporter, v.Input.Role}
		got := b.reportData([16]byte(unhex(t, v.Input.Instance)), [32]byte(unhex(t, v.Input.SpecDigest)))
		if hex.EncodeToString(got[:]) != v.Expected {
			t.Errorf("got %x, want %s", got, v.Expected)
		}
	})
}

// TestClaimsAreThoseOfTheVectors: the agent makes claims and reads none, so what is refused is the
// verifier's to refuse.
func TestClaimsAreThoseOfTheVectors(t *testing.T) {
	type expected struct{ PubkeyHash, Instance, SpecDigest, ReportData string }
	type vector struct {
		Claims   []byte
		Expected json.RawMessage
	}
	accepted := 0
	eachVector(t, "claims", func(t *testing.T, v vector) {
		var want expected
		if json.Unmarshal(v.Expected, &want) != nil {
			return
		}
		accepted++
		var key struct{ Input struct{ SPKI []byte } }
		data, err := os.ReadFile(vectors + "/report-data/session.json")
		if err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(data, &key); err != nil {
			t.Fatal(err)
		}
		made := claims(key.Input.SPKI, [16]byte(unhex(t, want.Instance)), [32]byte(unhex(t, want.SpecDigest)))
		if !bytes.Equal(made, v.Claims) {
			t.Errorf("got %x, want %x", made, v.Claims)
		}
		if !bytes.Contains(made, unhex(t, want.PubkeyHash)) {
			t.Error("the hash of the key is another")
		}
		if got := claimsReportData(made); hex.EncodeToString(got[:]) != want.ReportData {
			t.Errorf("got %x, want %s", got, want.ReportData)
		}
	})
	if accepted == 0 {
		t.Error("no vector is accepted")
	}
}

func TestExtensionIsThatOfTheVectors(t *testing.T) {
	type expected struct{ Report, Certificates, Claims []byte }
	type vector struct {
		Extension []byte
		Expected  json.RawMessage
	}
	accepted := 0
	eachVector(t, "evidence", func(t *testing.T, v vector) {
		var want expected
		if json.Unmarshal(v.Expected, &want) != nil {
			return
		}
		accepted++
		if got := extension(want.Report, want.Certificates, want.Claims); !bytes.Equal(got, v.Extension) {
			t.Errorf("got %x, want %x", got, v.Extension)
		}
	})
	if accepted == 0 {
		t.Error("no vector is accepted")
	}
}
