package sealing

import (
	"bytes"
	"errors"
	"testing"

	"a3s.dev/box/agent/jsonapi"
	"a3s.dev/box/agent/snp"
	"a3s.dev/box/agent/tee"
	"a3s.dev/box/agent/tee/teetest"
)

var value = []byte("correct horse")

// guestOf is a guest of the fake processor, whose keys depend on measurement and request.
func guestOf(t *testing.T, change func(c *Config, p *teetest.Fake)) *Caller {
	t.Helper()
	processor := &teetest.Fake{Measurement: [48]byte{2}}
	config := Config{
		Processor: processor, Simulated: true, Sealing: "upgradable",
		Report: &snp.Report{GuestSVN: 5, HostData: [32]byte{1}, Measurement: [48]byte{2}, IDKeyDigest: [48]byte{3}, CommittedTCB: [8]byte{4, 7: 9}},
	}
	if change != nil {
		change(&config, processor)
	}
	return New(config).Workload()
}

func exact() Terms { return Terms{Purpose: "db/key", Policy: "exact"} }

func sealed(t *testing.T, c *Caller, terms Terms) []byte {
	t.Helper()
	data, err := c.Seal(terms, value)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func TestAGuestOpensWhatItSealedBeforeItsRestart(t *testing.T) {
	for _, policy := range []string{"exact", "upgradable"} {
		data := sealed(t, guestOf(t, nil), Terms{Purpose: "db/key", Policy: policy})
		if got, err := guestOf(t, nil).Unseal(data, "db/key"); err != nil || !bytes.Equal(got, value) {
			t.Errorf("%s: got %q, %v", policy, got, err)
		}
		if bytes.Contains(data, value) {
			t.Error("the value is readable")
		}
	}
}

func TestNoTwoEnvelopesAreAlike(t *testing.T) {
	c := guestOf(t, nil)
	if first, second := sealed(t, c, exact()), sealed(t, c, exact()); bytes.Equal(first[saltAt:], second[saltAt:]) {
		t.Error("two envelopes have one key")
	}
}

func TestAnotherGuestIsRefusedByTheRuleThatDecides(t *testing.T) {
	three := int64(3)
	upgradable := Terms{Purpose: "db/key", Policy: "upgradable"}
	lower := Terms{Purpose: "db/key", Policy: "upgradable", MinimumSVN: &three}
	for name, c := range map[string]struct {
		terms  Terms
		change func(c *Config, p *teetest.Fake)
		want   *jsonapi.Error
	}{
		"another spec":                        {exact(), func(c *Config, _ *teetest.Fake) { c.Report.HostData[0] = 9 }, ErrSpec},
		"another spec, upgradable":            {upgradable, func(c *Config, _ *teetest.Fake) { c.Report.HostData[0] = 9 }, ErrSpec},
		"another launch digest":               {exact(), func(c *Config, _ *teetest.Fake) { c.Report.Measurement[0] = 9 }, ErrMeasurement},
		"another ID key":                      {upgradable, func(c *Config, _ *teetest.Fake) { c.Report.IDKeyDigest[0] = 9 }, ErrIDKey},
		"an older guest":                      {upgradable, func(c *Config, _ *teetest.Fake) { c.Report.GuestSVN = 4 }, ErrSVN},
		"an older guest that is permitted":    {lower, func(c *Config, _ *teetest.Fake) { c.Report.GuestSVN = 4 }, nil},
		"an older guest than is permitted":    {lower, func(c *Config, _ *teetest.Fake) { c.Report.GuestSVN = 2 }, ErrSVN},
		"hardware":                            {exact(), func(c *Config, _ *teetest.Fake) { c.Simulated = false }, ErrTEE},
		"a spec that permits none":            {exact(), func(c *Config, _ *teetest.Fake) { c.Sealing = "none" }, ErrPolicy},
		"a spec that permits exact":           {upgradable, func(c *Config, _ *teetest.Fake) { c.Sealing = "exact" }, ErrPolicy},
		"a spec with an unknown word":         {exact(), func(c *Config, _ *teetest.Fake) { c.Sealing = "" }, ErrPolicy},
		"another chip":                        {exact(), func(_ *Config, p *teetest.Fake) { p.Measurement[1] = 9 }, ErrBroken},
		"a processor that refuses":            {exact(), func(_ *Config, p *teetest.Fake) { p.Err = &tee.Refusal{Code: "refused"} }, ErrNoKey},
		"a processor that answers zero":       {exact(), func(_ *Config, p *teetest.Fake) { p.Err = tee.ErrKey }, ErrNoKey},
		"a processor that does not answer":    {exact(), func(_ *Config, p *teetest.Fake) { p.Err = tee.ErrSilent }, jsonapi.ErrProcessor},
		"a processor whose host is at a loss": {exact(), func(_ *Config, p *teetest.Fake) { p.Err = &tee.Refusal{Code: "unavailable"} }, jsonapi.ErrProcessor},
		"firmware that was upgraded":          {exact(), func(c *Config, _ *teetest.Fake) { c.Report.CommittedTCB[7] = 10 }, nil},
	} {
		data := sealed(t, guestOf(t, nil), c.terms)
		got, err := guestOf(t, c.change).Unseal(data, "db/key")
		if c.want == nil {
			if err != nil || !bytes.Equal(got, value) {
				t.Errorf("%s: got %q, %v", name, got, err)
			}
		} else if !errors.Is(err, c.want) || got != nil {
			t.Errorf("%s: got %q, %v, want %v", name, got, err, c.want)
		}
	}
}

func TestAnEnvelopeIsForOnePurpose(t *testing.T) {
	c := guestOf(t, nil)
	data := sealed(t, c, exact())
	if _, err := c.Unseal(data, "tls/key"); !errors.Is(err, ErrPurpose) {
		t.Errorf("got %v", err)
	}
	for _, purpose := range []string{"", "A", "a b", "/a", "-", string(bytes.Repeat([]byte("p"), 65))} {
		if _, err := c.Unseal(data, purpose); !errors.Is(err, ErrNoPurpose) {
			t.Errorf("%q: got %v", purpose, err)
		}
		if _, err := c.Seal(Terms{Purpose: purpose, Policy: "exact"}, value); !errors.Is(err, ErrNoPurpose) {
			t.Errorf("%q: got %v", purpose, err)
		}
	}
}

func TestWhatCannotBeSealedIsRefused(t *testing.T) {
	own, more, less := int64(5), int64(6), int64(-1)
	upgradable := func(svn *int64) Terms { return Terms{Purpose: "p", Policy: "upgradable", MinimumSVN: svn} }
	for name, c := range map[string]struct {
		terms  Terms
		change func(c *Config, p *teetest.Fake)
		want   *jsonapi.Error
	}{
		"a policy that is none":          {Terms{Purpose: "p", Policy: "any"}, nil, ErrNoPolicy},
		"no policy":                      {Terms{Purpose: "p"}, nil, ErrNoPolicy},
		"none":                           {Terms{Purpose: "p", Policy: "none"}, nil, ErrNoPolicy},
		"more than the spec permits":     {upgradable(nil), func(c *Config, _ *teetest.Fake) { c.Sealing = "exact" }, ErrPolicy},
		"an SVN above the guest's":       {upgradable(&more), nil, ErrMinimumSVN},
		"an SVN below zero":              {upgradable(&less), nil, ErrMinimumSVN},
		"an SVN of an exact envelope":    {Terms{Purpose: "p", Policy: "exact", MinimumSVN: &own}, nil, ErrMinimumSVN},
		"upgradable without an ID block": {upgradable(nil), func(c *Config, _ *teetest.Fake) { c.Report.IDKeyDigest = [48]byte{} }, ErrNoIDKey},
	} {
		if data, err := guestOf(t, c.change).Seal(c.terms, value); !errors.Is(err, c.want) || data != nil {
			t.Errorf("%s: got %v, want %v", name, err, c.want)
		}
	}
	if _, err := guestOf(t, nil).Seal(exact(), make([]byte, MaxValue+1)); !errors.Is(err, ErrValueSize) {
		t.Errorf("got %v", err)
	}
	c := guestOf(t, nil)
	data, err := c.Seal(Terms{Purpose: string(bytes.Repeat([]byte("p"), 64)), Policy: "exact"}, make([]byte, MaxValue))
	if err != nil || len(data) != MaxEnvelope {
		t.Errorf("got %d bytes, %v", len(data), err)
	}
	if _, err := c.Unseal(append(data, 0), "p"); !errors.Is(err, ErrMalformed) {
		t.Errorf("got %v", err)
	}
}

func TestADerivedKeyComesAgainByItsReference(t *testing.T) {
	key, reference, err := guestOf(t, nil).Derive(exact())
	if err != nil || len(key) != 32 {
		t.Fatalf("got %x, %v", key, err)
	}
	again, err := guestOf(t, nil).Again(reference, "db/key")
	if err != nil || !bytes.Equal(again, key) {
		t.Errorf("got %x, %v, want %x", again, err, key)
	}
	other, _, err := guestOf(t, nil).Derive(exact())
	if err != nil || bytes.Equal(other, key) {
		t.Errorf("two references have one key, %v", err)
	}
	changed := func(c *Config, _ *teetest.Fake) { c.Report.HostData[0] = 9 }
	if _, err := guestOf(t, changed).Again(reference, "db/key"); !errors.Is(err, ErrSpec) {
		t.Errorf("got %v", err)
	}
	for _, data := range [][]byte{nil, reference[:100], reference[:len(reference)-macSize], append(bytes.Clone(reference), 0), sealed(t, guestOf(t, nil), exact())} {
		if _, err := guestOf(t, nil).Again(data, "db/key"); !errors.Is(err, ErrMalformed) {
			t.Errorf("%x: got %v", data, err)
		}
	}
}

func TestNoBitOfAReferenceCanBeFlipped(t *testing.T) {
	_, reference, err := guestOf(t, nil).Derive(exact())
	if err != nil {
		t.Fatal(err)
	}
	for bit := range len(reference) * 8 {
		changed := bytes.Clone(reference)
		changed[bit/8] ^= 1 << (bit % 8)
		var refusal *jsonapi.Error
		if key, err := guestOf(t, nil).Again(changed, "db/key"); !errors.As(err, &refusal) || key != nil {
			t.Errorf("bit %d: got %x, %v", bit, key, err)
		}
	}
}

func TestAReferenceWhoseSaltSVNOrTCBWasChangedIsBroken(t *testing.T) {
	_, reference, err := guestOf(t, nil).Derive(exact())
	if err != nil {
		t.Fatal(err)
	}
	for name, field := range map[string][2]int{"salt": {saltAt, purposeAt}, "SVN": {guestSVNAt, tcbAt}, "TCB": {tcbAt, measurementAt}} {
		changed := bytes.Clone(reference)
		clear(changed[field[0]:field[1]])
		if key, err := guestOf(t, nil).Again(changed, "db/key"); !errors.Is(err, ErrBroken) || key != nil {
			t.Errorf("%s: got %x, %v", name, key, err)
		}
	}
}

func TestCallersFromOutsideAndTheWorkloadHaveTheirOwnRates(t *testing.T) {
	workload := guestOf(t, nil)
	session := workload.Session()
	var last error
	for range burst + 1 {
		_, last = session.Seal(exact(), value)
	}
	if !errors.Is(last, jsonapi.ErrTooMany) {
		t.Errorf("got %v", last)
	}
	// What the rules refuse costs nothing.
	for range burst + 1 {
		if _, err := workload.Unseal([]byte("none"), "p"); !errors.Is(err, ErrMalformed) {
			t.Fatalf("got %v", err)
		}
	}
	sealed(t, workload, exact())
}

func TestASpecThatPermitsNoneSaysSo(t *testing.T) {
	none := guestOf(t, func(c *Config, _ *teetest.Fake) { c.Sealing = "none" })
	if err := none.Permits(); !errors.Is(err, ErrPolicy) {
		t.Errorf("got %v", err)
	}
	if err := guestOf(t, nil).Permits(); err != nil {
		t.Errorf("got %v", err)
	}
}
