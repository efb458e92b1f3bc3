package sealing

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"a3s.dev/box/agent/jsonapi"
	"a3s.dev/box/agent/snp"
	"a3s.dev/box/agent/tee"
	"a3s.dev/box/agent/tee/teetest"
)

// vector is a case of test/vectors/sealing.
type vector struct {
	Guest struct {
		TEE, Sealing, HostData, Measurement, IDKeyDigest string
		GuestSVN                                         uint32
	}
	ProcessorKey, Purpose string
	Envelope              []byte
	Expected              json.RawMessage
}

// accepted is the Expected of an envelope that opens.
type accepted struct {
	Request struct {
		Fields   tee.Fields
		GuestSVN uint32
		TCB      string
	}
	Salt, Derived    string
	Value, Reference []byte
}

func vectors(t testing.TB) map[string]vector {
	t.Helper()
	files, err := filepath.Glob("../../../test/vectors/sealing/*.json")
	if err != nil || len(files) == 0 {
		t.Fatalf("got %d vectors, %v", len(files), err)
	}
	all := map[string]vector{}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var v vector
		if err := json.Unmarshal(data, &v); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		all[strings.TrimSuffix(filepath.Base(file), ".json")] = v
	}
	return all
}

func unhex(t testing.TB, text string) []byte {
	t.Helper()
	data, err := hex.DecodeString(text)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// keyed is a processor that gives one key for every request, and remembers the last.
type keyed struct {
	teetest.Fake
	key   [32]byte
	asked tee.KeyRequest
	count int
}

func (k *keyed) DeriveKey(request tee.KeyRequest) ([32]byte, error) {
	k.asked = request
	k.count++
	return k.key, k.Err
}

// guest is the guest of a vector.
func (v *vector) guest(t testing.TB) (*Caller, *keyed) {
	t.Helper()
	processor := &keyed{key: [32]byte(unhex(t, v.ProcessorKey))}
	s := New(Config{
		Processor: processor, Simulated: v.Guest.TEE == "simulated", Sealing: v.Guest.Sealing,
		Report: &snp.Report{
			GuestSVN: v.Guest.GuestSVN, HostData: [32]byte(unhex(t, v.Guest.HostData)),
			Measurement: [48]byte(unhex(t, v.Guest.Measurement)), IDKeyDigest: [48]byte(unhex(t, v.Guest.IDKeyDigest)),
		},
	})
	return s.Workload(), processor
}

func TestEnvelopesAreDecidedAsTheVectorsSay(t *testing.T) {
	for name, v := range vectors(t) {
		t.Run(name, func(t *testing.T) {
			c, processor := v.guest(t)
			value, err := c.Unseal(v.Envelope, v.Purpose)
			var code string
			if json.Unmarshal(v.Expected, &code) == nil {
				var refusal *jsonapi.Error
				if !errors.As(err, &refusal) || refusal.Code != code || value != nil {
					t.Errorf("got %v, want %s", err, code)
				}
				if decided := code != "seal-broken"; decided && processor.count != 0 {
					t.Error("the processor was asked before the rules were")
				}
				return
			}
			var want accepted
			if err := json.Unmarshal(v.Expected, &want); err != nil {
				t.Fatal(err)
			}
			if err != nil || !bytes.Equal(value, want.Value) {
				t.Errorf("got %q, %v", value, err)
			}
			tcb, err := strconv.ParseUint(want.Request.TCB, 10, 64)
			asked := tee.KeyRequest{RootKey: tee.VCEK, Fields: want.Request.Fields, GuestSVN: want.Request.GuestSVN, TCB: tcb}
			if err != nil || processor.asked != asked {
				t.Errorf("asked for %+v, want %+v", processor.asked, asked)
			}
			h, _, err := parse(v.Envelope)
			if err != nil || hex.EncodeToString(h.salt[:]) != want.Salt {
				t.Fatalf("got %+v, %v", h, err)
			}
			mac, err := h.authenticate(processor.key[:])
			if reference := append(h.encode(), mac...); err != nil || !bytes.Equal(reference, want.Reference) {
				t.Errorf("got the reference %x, %v", reference, err)
			}
			if derived, err := c.Again(want.Reference, v.Purpose); err != nil || hex.EncodeToString(derived) != want.Derived {
				t.Errorf("derived %x, %v", derived, err)
			}
			// The same header seals the same value to the same bytes.
			if again, err := h.seal(sealDomain, value, processor.key[:]); err != nil || !bytes.Equal(again, v.Envelope) {
				t.Errorf("sealed %x, %v", again, err)
			}
		})
	}
}

func TestNoBitOfAnEnvelopeCanBeFlipped(t *testing.T) {
	v := vectors(t)["exact"]
	for bit := range len(v.Envelope) * 8 {
		changed := bytes.Clone(v.Envelope)
		changed[bit/8] ^= 1 << (bit % 8)
		fresh, _ := v.guest(t)
		var refusal *jsonapi.Error
		if value, err := fresh.Unseal(changed, v.Purpose); !errors.As(err, &refusal) || value != nil {
			t.Errorf("bit %d: got %q, %v", bit, value, err)
		}
	}
}

// FuzzParse: what is taken has one encoding.
func FuzzParse(f *testing.F) {
	for _, v := range vectors(f) {
		f.Add(v.Envelope)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		e, err := parseEnvelope(data)
		if err != nil {
			if !errors.Is(err, ErrMalformed) && !errors.Is(err, ErrVersion) {
				t.Errorf("got %v", err)
			}
			return
		}
		if !bytes.Equal(append(e.encode(), e.content...), data) {
			t.Errorf("%x is written otherwise", data)
		}
	})
}
