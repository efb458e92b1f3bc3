package sealedvolume

import (
	"encoding/binary"
	"testing"

	"a3s.dev/box/agent/sealing"
	"a3s.dev/box/agent/snp"
	"a3s.dev/box/agent/tee"
	"a3s.dev/box/agent/tee/teetest"
)

// booted is the processor after a boot of its host, with the firmware that came with it. It derives
// no key for a TCB above its own (SEV-SNP firmware ABI, SNP_GET_DERIVED_KEY).
type booted struct {
	*teetest.Fake
	tcb [8]byte
}

func (p booted) DeriveKey(request tee.KeyRequest) ([32]byte, error) {
	asked := binary.LittleEndian.AppendUint64(nil, request.TCB)
	for part, own := range p.tcb {
		if asked[part] > own {
			return [32]byte{}, &tee.Refusal{Code: "refused"}
		}
	}
	return p.Fake.DeriveKey(request)
}

// after opens a disk in a guest that was launched after such a boot. Nothing else of what the guest
// reads differs between boots of one host: it has no key of the boot, and keeps none.
func after(d *disk, tcb, measurement byte, policy string, terms Terms) (*Volume, *mapper, error) {
	report := &snp.Report{
		GuestSVN: 5, Measurement: [48]byte{measurement}, IDKeyDigest: [48]byte{3},
		CommittedTCB: [8]byte{tcb},
	}
	processor := booted{&teetest.Fake{}, [8]byte{tcb}}
	config := sealing.Config{Processor: processor, Simulated: true, Report: report}
	m := &mapper{disk: d}
	v, err := Open(d, sealing.Volumes(config, [32]byte{1}, policy), m, terms)
	return v, m, err
}

func TestAVolumeOutlivesRebootsOfItsHostAndNewerFirmware(t *testing.T) {
	for _, policy := range []string{"exact", "upgradable"} {
		terms := Terms{Name: "data", Policy: policy, Init: true}
		d := newDisk()
		v, _, err := after(d, 4, 2, policy, terms)
		if err != nil {
			t.Fatal(err)
		}
		if err := v.Handle.Use(); err != nil {
			t.Fatal(err)
		}
		// Another boot, newer firmware, and the first one again: the volume is not bound to the
		// newer.
		for boot, tcb := range []byte{4, 6, 4} {
			d = d.again()
			again, m, err := after(d, tcb, 2, policy, terms)
			if err != nil || again.Created || again.ID != v.ID || m.formats > 0 {
				t.Fatalf("%s, boot %d: got %+v, %v", policy, boot, again, err)
			}
		}
	}
}

func TestFirmwareOlderThanTheVolumeNeitherOpensNorFormatsIt(t *testing.T) {
	terms := initTerms()
	d := newDisk()
	v, _, err := after(d, 6, 2, "exact", terms)
	if err != nil {
		t.Fatal(err)
	}
	if err := v.Handle.Use(); err != nil {
		t.Fatal(err)
	}
	older := d.again()
	refusedVolume, m, err := after(older, 4, 2, "exact", terms)
	if refusedVolume != nil || err == nil || m.formats > 0 {
		t.Errorf("got %+v, %v", refusedVolume, err)
	}
	if again, _, err := after(older, 6, 2, "exact", terms); err != nil || again.Created || again.ID != v.ID {
		t.Errorf("got %+v, %v", again, err)
	}
}

func TestAVolumeOutlivesARebootIntoTheNextBootSet(t *testing.T) {
	terms := Terms{Name: "data", Policy: "upgradable", Init: true}
	d := newDisk()
	v, _, err := after(d, 4, 2, "upgradable", terms)
	if err != nil {
		t.Fatal(err)
	}
	if err := v.Handle.Use(); err != nil {
		t.Fatal(err)
	}
	// The next boot set has another launch digest, and the same ID key.
	again, m, err := after(d.again(), 5, 9, "upgradable", terms)
	if err != nil || again.Created || again.ID != v.ID || m.formats > 0 {
		t.Errorf("got %+v, %v", again, err)
	}
	// Under `exact` it is another guest.
	exact := newDisk()
	if v, _, err = after(exact, 4, 2, "exact", initTerms()); err != nil {
		t.Fatal(err)
	}
	if err := v.Handle.Use(); err != nil {
		t.Fatal(err)
	}
	if other, m, err := after(exact.again(), 4, 9, "exact", initTerms()); err == nil || m.formats > 0 {
		t.Errorf("got %+v, %v", other, err)
	}
}
