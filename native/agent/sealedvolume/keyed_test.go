package sealedvolume

import (
	"bytes"
	"encoding/binary"
	"errors"
	"slices"
	"strings"
	"testing"
)

const (
	keyPath     = "default/volumes/key"
	counterPath = "default/volumes/data"
)

// keyed are terms with a key of a broker.
func keyed(terms Terms, edit func(k *Keyed)) Terms {
	terms.Policy = "broker"
	terms.Keyed = &Keyed{Path: keyPath, Counter: counterPath, Key: bytes.Repeat([]byte{7}, keyBytes)}
	terms.Counted = true
	if edit != nil {
		edit(terms.Keyed)
	}
	return terms
}

// another is a guest of another launch spec, launch digest and chip.
var another = guest{binding: 8, measurement: 9, chip: 9, policy: "exact"}

// madeKeyed is a disk with a volume that a workload has had.
func madeKeyed(t *testing.T) (*disk, *Volume) {
	t.Helper()
	d := newDisk()
	v, m, err := open(d, usual, keyed(initTerms(), nil))
	if err != nil || m.formats != 1 || !v.Created {
		t.Fatalf("got %+v, %v", v, err)
	}
	if err := errors.Join(v.Handle.Use(), v.Handle.Advance(3), v.Handle.Close()); err != nil {
		t.Fatal(err)
	}
	return d, v
}

func TestAVolumeWithAKeyOfABrokerIsOpenedByAnotherImage(t *testing.T) {
	d, v := madeKeyed(t)
	for name, terms := range map[string]Terms{
		"its id":                      keyed(idTerms(v.ID), nil),
		"init":                        keyed(initTerms(), nil),
		"its id, and a counter of it": keyed(idTerms(v.ID), func(k *Keyed) { k.Used = true }),
	} {
		again, m, err := open(d.again(), another, terms)
		if err != nil || again.Created || again.ID != v.ID || m.formats > 0 || again.Handle.Generation() != 3 {
			t.Errorf("%s: got %+v, %v", name, again, err)
		}
	}
}

func TestTwoVolumesOfOneBrokerKeyHaveKeysOfTheirOwn(t *testing.T) {
	keys := map[string]bool{}
	for range 2 {
		_, m, err := open(newDisk(), usual, keyed(initTerms(), nil))
		if err != nil {
			t.Fatal(err)
		}
		keys[string(m.data)], keys[string(m.journal)] = true, true
	}
	if len(keys) != 4 {
		t.Errorf("%d keys", len(keys))
	}
}

func TestAVolumeIsOpenedWithItsOwnKeyPathAndCounterAlone(t *testing.T) {
	d, v := madeKeyed(t)
	other := func(edit func(k *Keyed)) Terms { return keyed(idTerms(v.ID), edit) }
	for name, c := range map[string]struct {
		terms       Terms
		code, words string
	}{
		"another key":             {other(func(k *Keyed) { k.Key[0]++ }), CodeKey, "another one"},
		"a short key":             {other(func(k *Keyed) { k.Key = k.Key[:31] }), CodeKey, "32 bytes"},
		"another path":            {other(func(k *Keyed) { k.Path += "2" }), CodeRefused, "another path"},
		"another counter":         {other(func(k *Keyed) { k.Counter += "2" }), CodeRefused, "counter"},
		"another name":            {keyed(Terms{Name: "other", ID: &v.ID}, nil), CodeRefused, "another name"},
		"another name, init":      {keyed(Terms{Name: "other", Init: true}, nil), CodeRefused, "another name"},
		"no counter":              {other(func(k *Keyed) { k.Counter = "" }), CodeRefused, "counter"},
		"a shifted path":          {other(func(k *Keyed) { k.Path, k.Counter = keyPath+counterPath[:1], counterPath[1:] }), CodeRefused, "another path"},
		"a shifted counter":       {keyed(Terms{Name: "a", ID: &v.ID}, func(k *Keyed) { k.Counter += "dat" }), CodeRefused, "counter"},
		"no key":                  {idTerms(v.ID), CodeRefused, "names none"},
		"no key, init":            {initTerms(), CodeRefused, "names none"},
		"init, another key":       {keyed(initTerms(), func(k *Keyed) { k.Key[0]++ }), CodeKey, "another one"},
		"init, without a counter": {keyed(initTerms(), func(k *Keyed) { k.Counter = "" }), CodeRefused, "counter"},
		"another id":              {keyed(idTerms([16]byte{1}), nil), CodeRefused, "another volume"},
	} {
		t.Run(name, func(t *testing.T) { refused(t, d, usual, c.terms, c.code, c.words) })
	}
	sealed, w := made(t)
	refused(t, sealed, usual, keyed(idTerms(w.ID), nil), CodeRefused, "with a sealed one")
}

// The host may put an empty disk, or the header of a volume that was being made, in the place of
// one that the broker has counted.
func TestNothingIsFormattedWhereTheCounterWasAdvanced(t *testing.T) {
	used := keyed(initTerms(), func(k *Keyed) { k.Used = true })
	refused(t, newDisk(), usual, used, CodeUsed, "nothing is formatted")
	d := newDisk()
	m := &mapper{disk: d, refuse: errors.New("the power is gone")}
	if _, err := Open(d, usual.sealer(), m, keyed(initTerms(), nil)); err == nil {
		t.Fatal("it was made")
	}
	if h, err := parse(d.pages[0]); err != nil || h.state != making {
		t.Fatalf("got %+v, %v", h, err)
	}
	refused(t, d, usual, used, CodeUsed, "nothing is formatted")
	if v, m, err := open(d, usual, keyed(initTerms(), nil)); err != nil || m.formats != 1 || !v.Created {
		t.Errorf("got %+v, %v", v, err)
	}
}

func TestAHeaderThatTheHostChangedIsRefused(t *testing.T) {
	// After its own id, of which a change is a key that is another one.
	for name, change := range map[string]func(data []byte){
		"the state":      func(data []byte) { data[stateAt] = unused },
		"the generation": func(data []byte) { data[generationAt+7]++ },
		"the id":         func(data []byte) { data[idAt]++ },
		"the MAC":        func(data []byte) { data[macAt]++ },
	} {
		d, _ := madeKeyed(t)
		for _, at := range copiesAt {
			change(d.pages[at])
		}
		t.Run(name, func(t *testing.T) { refused(t, d, usual, keyed(initTerms(), nil), CodeDamaged, "header") })
	}
}

func TestTheKeyIsNotOnTheDiskAndNotKept(t *testing.T) {
	d := newDisk()
	terms := keyed(initTerms(), nil)
	v, _, err := open(d, usual, terms)
	if err != nil {
		t.Fatal(err)
	}
	for at, page := range d.pages {
		if bytes.Contains(page, terms.Keyed.Key[:8]) {
			t.Errorf("the page at %d has the key", at)
		}
	}
	own := v.Handle.(*handle).key
	if err := v.Handle.Close(); err != nil || strings.Trim(string(own), "\x00") != "" {
		t.Errorf("got %v, %x", err, own)
	}
}

func TestAReferenceHasOneEncoding(t *testing.T) {
	good, err := keyed(initTerms(), nil).Keyed.reference("data")
	if err != nil || !isReference(good) {
		t.Fatalf("got %x, %v", good, err)
	}
	counterAt := keyIDBytes + 2 + len(keyPath)
	size := func(at int, n uint16) []byte {
		data := bytes.Clone(good)
		binary.BigEndian.PutUint16(data[at:], n)
		return data
	}
	longest := &Keyed{strings.Repeat("p", maxReferencePath), strings.Repeat("c", maxReferencePath), make([]byte, keyBytes), false}
	long, err := longest.reference(strings.Repeat("n", maxReferenceName))
	if err != nil || !isReference(long) || len(long) > maxEnvelope {
		t.Fatalf("the longest has %d bytes, %v", len(long), err)
	}
	longer := func(at int) []byte {
		data := slices.Insert(bytes.Clone(long), at+2, 'x')
		binary.BigEndian.PutUint16(data[at:], maxReferencePath+1)
		return data
	}
	for name, data := range map[string][]byte{
		"nothing":           nil,
		"an id alone":       good[:keyIDBytes],
		"half a length":     good[:keyIDBytes+1],
		"no path":           slices.Delete(size(keyIDBytes, 0), keyIDBytes+2, counterAt),
		"a path too far":    size(keyIDBytes, uint16(len(good))),
		"a long path":       longer(keyIDBytes),
		"no counter":        good[:counterAt],
		"a counter too far": size(counterAt, uint16(len(counterPath)+len("data")+1)),
		"a long counter":    longer(keyIDBytes + 2 + maxReferencePath),
		"no name":           good[:len(good)-len("data")],
		"a long name":       append(bytes.Clone(long), 'n'),
	} {
		if isReference(data) {
			t.Errorf("%s is one", name)
		}
	}
}
