package sealedvolume

import (
	"bytes"
	"encoding/binary"
	"errors"
	"strings"
	"testing"

	"a3s.dev/box/agent/dm"
	"a3s.dev/box/agent/jsonapi"
	"a3s.dev/box/agent/sealing"
)

func codeOf(err error) string {
	var own *jsonapi.Error
	if errors.As(err, &own) {
		return own.Code
	}
	return ""
}

// refused expects a code, and that the disk is as it was.
func refused(t *testing.T, d *disk, g guest, terms Terms, code, words string) {
	t.Helper()
	before := d.again()
	v, m, err := open(d, g, terms)
	if v != nil || codeOf(err) != code || !strings.Contains(err.Error(), words) {
		t.Errorf("got %v, %v, want %s: %s", v, err, code, words)
	}
	if m.formats > 0 {
		t.Error("it was formatted")
	}
	for at, page := range before.pages {
		if !bytes.Equal(page, d.pages[at]) {
			t.Errorf("the page at %d was changed", at)
		}
	}
	if len(before.pages) != len(d.pages) {
		t.Error("something was written")
	}
}

func TestAVolumeIsMadeOnceAndOpenedByLaterGuests(t *testing.T) {
	d, v := made(t)
	if !v.Created || v.Device == "" || v.ID == [16]byte{} {
		t.Errorf("got %+v", v)
	}
	for name, terms := range map[string]Terms{"init": initTerms(), "its id": idTerms(v.ID)} {
		again, m, err := open(d.again(), usual, terms)
		if err != nil || again.Created || again.ID != v.ID || m.formats > 0 {
			t.Errorf("%s: got %+v, %v", name, again, err)
		}
		if bytes.Equal(m.data[:32], m.journal) || isZero(m.data) || isZero(m.journal) {
			t.Error("the keys are not keys of their own")
		}
	}
}

func TestNoTwoVolumesAreAlike(t *testing.T) {
	_, one := made(t)
	other, two := made(t)
	if one.ID == two.ID {
		t.Error("two volumes have one id")
	}
	refused(t, other, usual, idTerms(one.ID), CodeRefused, "another volume than the one whose id")
}

func TestAnEmptyDiskIsNoVolumeUnlessTheSpecPermitsToMakeOne(t *testing.T) {
	refused(t, newDisk(), usual, idTerms([16]byte{1}), CodeEmpty, "the disk is empty")
}

func TestADiskWithAnythingOnItIsNotFormatted(t *testing.T) {
	for _, at := range []int64{0, 4096, dm.KeptStart, emptyBytes - headerBytes} {
		d := newDisk()
		d.pages[at] = append(make([]byte, headerBytes-1), 1)
		refused(t, d, usual, initTerms(), CodeDamaged, "neither copy of its header is whole")
	}
}

func TestAnotherGuestIsRefusedByTheRuleThatDecides(t *testing.T) {
	d, v := made(t)
	for name, c := range map[string]struct {
		guest guest
		terms Terms
		rule  string
	}{
		"another launch spec":       {guest{9, 2, 0, "exact"}, initTerms(), "(sealed-spec)"},
		"another launch digest":     {guest{1, 9, 0, "exact"}, initTerms(), "(sealed-measurement)"},
		"another chip":              {guest{1, 2, 9, "exact"}, initTerms(), "(seal-broken)"},
		"another name":              {usual, Terms{Name: "other", Policy: "exact", Init: true}, "(sealed-purpose)"},
		"another chip, with its id": {guest{1, 2, 9, "exact"}, idTerms(v.ID), "(seal-broken)"},
		"another spec, with the id": {guest{9, 2, 0, "exact"}, idTerms(v.ID), "(sealed-spec)"},
	} {
		t.Run(name, func(t *testing.T) { refused(t, d, c.guest, c.terms, CodeRefused, c.rule) })
	}
}

func TestAnUpgradableVolumeIsOpenedUnderALaterLaunchDigest(t *testing.T) {
	d := newDisk()
	old := guest{binding: 1, measurement: 2, policy: "upgradable"}
	terms := Terms{Name: "data", Policy: "upgradable", Init: true}
	v, _, err := open(d, old, terms)
	if err != nil {
		t.Fatal(err)
	}
	if err := v.Handle.Use(); err != nil {
		t.Fatal(err)
	}
	later := old
	later.measurement = 9
	if v, _, err := open(d.again(), later, terms); err != nil || v.Created {
		t.Errorf("got %+v, %v", v, err)
	}
	refused(t, d, usual, initTerms(), CodeRefused, "(sealing-policy)")
}

func TestNoSealerOpensTheEnvelopeOfAVolume(t *testing.T) {
	d, _ := made(t)
	h, err := parse(d.pages[0])
	if err != nil {
		t.Fatal(err)
	}
	// The workload's sealer of the same guest, with the same binding.
	caller := usual.sealer().Sealer.Workload()
	if _, err := caller.Unseal(h.envelope, "volume/data"); !errors.Is(err, sealing.ErrBroken) {
		t.Errorf("got %v", err)
	}
}

func TestADiskOfAnotherLengthIsRefused(t *testing.T) {
	for _, length := range []int64{size - headerBytes, size + headerBytes, dm.MinKept - headerBytes} {
		d, _ := made(t)
		d.size = length
		refused(t, d, usual, initTerms(), CodeDamaged, "another length")
	}
}

func TestADiskThatCannotBeReadIsNotFormatted(t *testing.T) {
	d, _ := made(t)
	d.unreadable = true
	refused(t, d, usual, initTerms(), CodeDamaged, "no answer")
}

func TestAVolumeWhoseDeviceCannotBeMadeIsNotFormatted(t *testing.T) {
	d, _ := made(t)
	delete(d.pages, fileSystemAt)
	refused(t, d, usual, initTerms(), CodeDamaged, "not of these keys")
}

func TestOneCopyOfTheHeaderIsEnoughAndTheOtherIsWrittenAgain(t *testing.T) {
	for _, lost := range copiesAt {
		d, v := made(t)
		whole := d.pages[0]
		for name, page := range map[string][]byte{"zero": make([]byte, headerBytes), "torn": append(whole[:2048:2048], make([]byte, 2048)...)} {
			d.pages[lost] = page
			again, _, err := open(d, usual, idTerms(v.ID))
			if err != nil || again.ID != v.ID {
				t.Fatalf("%s at %d: got %v", name, lost, err)
			}
			if !bytes.Equal(d.pages[lost], whole) {
				t.Errorf("%s at %d: it was not written again", name, lost)
			}
		}
	}
}

// TestAPowerCutLosesNothing cuts the power after each write, and in the middle of it. The first
// header of a disk is an exception: what is lost then had no volume.
func TestAPowerCutLosesNothing(t *testing.T) {
	all := newDisk()
	all.writes = 1 << 20
	if _, _, err := open(all, usual, initTerms()); err != nil {
		t.Fatal(err)
	}
	writes := 1<<20 - all.writes
	for cut := range writes {
		for _, torn := range []bool{false, true} {
			d := newDisk()
			d.writes, d.torn = cut, torn
			if _, _, err := open(d, usual, initTerms()); !errors.Is(err, errCut) {
				t.Fatalf("write %d: got %v", cut, err)
			}
			if cut == 0 && torn {
				refused(t, d.again(), usual, initTerms(), CodeDamaged, "neither copy")
				continue
			}
			v, _, err := open(d.again(), usual, initTerms())
			if err != nil {
				t.Errorf("write %d, torn %t: %v", cut, torn, err)
				continue
			}
			// All of it is before a workload has run.
			if !v.Created {
				t.Errorf("write %d, torn %t: it is said to have been used", cut, torn)
			}
		}
	}
}

func TestAVolumeThatWasNeverMadeCompletelyIsNotOpenedByItsID(t *testing.T) {
	d := newDisk()
	d.writes = 2
	if _, _, err := open(d, usual, initTerms()); !errors.Is(err, errCut) {
		t.Fatal(err)
	}
	h, err := parse(d.pages[0])
	if err != nil {
		t.Fatal(err)
	}
	refused(t, d.again(), usual, idTerms(h.id), CodeEmpty, "never made completely")
}

// TestAHeaderOfAnUnfinishedVolumeMakesNoSecondOneOfItsIDAndKeys is a host that has kept the first
// header of a volume, and puts it back over the volume in use.
func TestAHeaderOfAnUnfinishedVolumeMakesNoSecondOneOfItsIDAndKeys(t *testing.T) {
	d := newDisk()
	d.writes = 2
	if _, _, err := open(d, usual, initTerms()); !errors.Is(err, errCut) {
		t.Fatal(err)
	}
	kept := mustParse(t, d.pages[0])
	if kept.state != making {
		t.Fatalf("got state %d", kept.state)
	}
	key, err := usual.sealer().Unseal(kept.envelope, "volume/data")
	if err != nil {
		t.Fatal(err)
	}
	old, err := diskKeys(key, kept.id)
	if err != nil {
		t.Fatal(err)
	}
	d = d.again()
	v, m, err := open(d, usual, initTerms())
	if err != nil || !v.Created || v.ID == kept.id || bytes.Equal(m.data, old.Data[:]) || bytes.Equal(m.journal, old.Journal[:]) {
		t.Fatalf("got %+v, %v: want a volume of another id and other keys", v, err)
	}
	for _, at := range copiesAt {
		d.pages[at] = kept.encoded
	}
	refused(t, d.again(), usual, idTerms(v.ID), CodeRefused, "another volume than the one whose id")
	again, _, err := open(d, usual, initTerms())
	if err != nil || !again.Created || again.ID == v.ID || again.ID == kept.id {
		t.Fatalf("got %+v, %v", again, err)
	}
	for _, id := range [][16]byte{v.ID, kept.id} {
		refused(t, d.again(), usual, idTerms(id), CodeRefused, "another volume than the one whose id")
	}
	// A header that the host has changed is no reason to make one either.
	forged := append([]byte(nil), kept.encoded...)
	forged[idAt] ^= 1
	for _, at := range copiesAt {
		d.pages[at] = forged
	}
	refused(t, d.again(), usual, initTerms(), CodeDamaged, "neither copy")
}

func TestTheCopyWithTheHigherGenerationDecides(t *testing.T) {
	d, v := made(t)
	key, err := usual.sealer().Unseal(mustParse(t, d.pages[0]).envelope, "volume/data")
	if err != nil {
		t.Fatal(err)
	}
	older := *mustParse(t, d.pages[0])
	older.state, older.generation = making, 1
	encoded, err := older.encode(key)
	if err != nil {
		t.Fatal(err)
	}
	for _, at := range copiesAt {
		changed := d.again()
		changed.pages[at] = encoded
		if again, m, err := open(changed, usual, initTerms()); err != nil || again.Created || again.ID != v.ID || m.formats > 0 {
			t.Errorf("at %d: got %+v, %v", at, again, err)
		}
	}
	// A newer one by the number alone has no MAC.
	forged := append([]byte(nil), encoded...)
	binary.BigEndian.PutUint64(forged[generationAt:], 1<<63)
	changed := d.again()
	changed.pages[0] = forged
	if again, m, err := open(changed, usual, initTerms()); err != nil || again.Created || m.formats > 0 {
		t.Errorf("got %+v, %v", again, err)
	}
}

// failing is a sealer that fails at the first request.
type failing struct {
	Sealer
	failure error
}

func (f *failing) Unseal(envelope []byte, purpose string) ([]byte, error) {
	if err := f.failure; err != nil {
		f.failure = nil
		return nil, err
	}
	return f.Sealer.Unseal(envelope, purpose)
}

// makingBehind is a disk with a volume, one copy of whose header is older and says that the volume
// was never made completely.
func makingBehind(t *testing.T, at int64) *disk {
	t.Helper()
	d, _ := made(t)
	older := *mustParse(t, d.pages[at])
	key, err := usual.sealer().Unseal(older.envelope, "volume/data")
	if err != nil {
		t.Fatal(err)
	}
	older.state, older.generation = making, 1
	if d.pages[at], err = older.encode(key); err != nil {
		t.Fatal(err)
	}
	return d
}

func TestAProcessorThatDoesNotAnswerLeavesTheDecisionToNoOlderCopy(t *testing.T) {
	for _, at := range copiesAt {
		for _, failure := range []error{jsonapi.ErrProcessor, jsonapi.ErrTooMany, errors.New("no answer")} {
			d := makingBehind(t, at)
			m := &mapper{disk: d}
			v, err := Open(d, &failing{usual.sealer(), failure}, m, initTerms())
			if v != nil || !errors.Is(err, failure) || m.formats > 0 {
				t.Errorf("at %d: got %+v, %v, %d formats, want %v", at, v, err, m.formats, failure)
			}
		}
	}
}

func TestAnOlderCopyMakesNoVolumeThatANewerOneCallsMade(t *testing.T) {
	for _, at := range copiesAt {
		d := makingBehind(t, at)
		// The newer copy has an envelope that this guest does not open.
		newer := copiesAt[0] + copiesAt[1] - at
		changed := append([]byte(nil), d.pages[newer]...)
		changed[envelopeAt+len(mustParse(t, changed).envelope)-1] ^= 1
		d.pages[newer] = changed
		refused(t, d, usual, initTerms(), CodeRefused, "does not get the key")
	}
}

func TestTheEnvelopeOfAnotherVolumeDoesNotFit(t *testing.T) {
	d, _ := made(t)
	other, _ := made(t)
	envelope := mustParse(t, other.pages[0]).envelope
	for _, at := range copiesAt {
		copy(d.pages[at][envelopeAt:], envelope)
	}
	refused(t, d, usual, initTerms(), CodeDamaged, "neither copy")
}

func mustParse(t *testing.T, data []byte) *header {
	t.Helper()
	h, err := parse(data)
	if err != nil {
		t.Fatal(err)
	}
	return h
}
