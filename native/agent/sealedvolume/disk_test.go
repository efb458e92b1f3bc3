package sealedvolume

import (
	"errors"
	"io"
	"maps"
	"testing"

	"a3s.dev/box/agent/dm"
	"a3s.dev/box/agent/sealing"
	"a3s.dev/box/agent/snp"
	"a3s.dev/box/agent/tee/teetest"
)

const size = 64 << 20

// disk is one in memory, of pages that were written.
type disk struct {
	pages map[int64][]byte
	size  int64
	// writes counts those that are let through before the power is cut; negative is no limit. torn
	// lets half of the next one through.
	writes int
	torn   bool
	// unreadable fails every read.
	unreadable bool
}

var errCut = errors.New("the power was cut")

func newDisk() *disk { return &disk{pages: map[int64][]byte{}, size: size, writes: -1} }

// again is the disk after the guest has ended.
func (d *disk) again() *disk { return &disk{pages: maps.Clone(d.pages), size: d.size, writes: -1} }

func (d *disk) ReadAt(to []byte, at int64) (int, error) {
	if d.unreadable {
		return 0, errors.New("no answer")
	}
	if at+int64(len(to)) > d.size {
		return 0, io.ErrUnexpectedEOF
	}
	for done := 0; done < len(to); done += headerBytes {
		clear(to[done:min(len(to), done+headerBytes)])
		copy(to[done:], d.pages[at+int64(done)])
	}
	return len(to), nil
}

func (d *disk) WriteAt(from []byte, at int64) (int, error) {
	if d.writes == 0 {
		if d.torn {
			half := make([]byte, len(from))
			copy(half, d.pages[at])
			copy(half, from[:len(from)/2])
			d.pages[at], d.torn = half, false
		}
		return 0, errCut
	}
	d.writes--
	d.pages[at] = append([]byte(nil), from...)
	return len(from), nil
}

func (d *disk) Sync() error          { return nil }
func (d *disk) Size() (int64, error) { return d.size, nil }

// mapper remembers what was formatted, and under which keys.
type mapper struct {
	disk          *disk
	formats       int
	data, journal []byte
	refuse        error
}

const fileSystemAt = 8 << 20

func (m *mapper) Format(keys *dm.KeptKeys) (string, error) {
	if m.refuse != nil {
		return "", m.refuse
	}
	m.formats++
	page := make([]byte, headerBytes)
	copy(page, keys.Data[:])
	copy(page[len(keys.Data):], keys.Journal[:])
	if _, err := m.disk.WriteAt(page, fileSystemAt); err != nil {
		return "", err
	}
	return m.Open(keys)
}

func (m *mapper) Open(keys *dm.KeptKeys) (string, error) {
	page := m.disk.pages[fileSystemAt]
	if m.refuse != nil || page == nil || string(page[:len(keys.Data)]) != string(keys.Data[:]) {
		return "", errors.Join(m.refuse, errors.New("the sectors are not of these keys"))
	}
	m.data, m.journal = append([]byte(nil), keys.Data[:]...), append([]byte(nil), keys.Journal[:]...)
	return "/dev/dm-1", nil
}

// guest is one of the fake processor.
type guest struct {
	binding, measurement byte
	chip                 byte
	policy               string
}

var usual = guest{binding: 1, measurement: 2, policy: "exact"}

func (g guest) sealer() *sealing.Caller {
	report := &snp.Report{GuestSVN: 5, Measurement: [48]byte{g.measurement}, IDKeyDigest: [48]byte{3}, CommittedTCB: [8]byte{4}}
	// Each chip of the fake has a measurement of its own.
	processor := &teetest.Fake{Measurement: [48]byte{g.chip}}
	return sealing.Volumes(sealing.Config{Processor: processor, Simulated: true, Report: report}, [32]byte{g.binding}, g.policy)
}

func initTerms() Terms { return Terms{Name: "data", Policy: "exact", Init: true} }

func idTerms(id [16]byte) Terms { return Terms{Name: "data", Policy: "exact", ID: &id} }

func open(d *disk, g guest, terms Terms) (*Volume, *mapper, error) {
	m := &mapper{disk: d}
	v, err := Open(d, g.sealer(), m, terms)
	return v, m, err
}

// made is a disk with a volume that a workload has had.
func made(t testing.TB) (*disk, *Volume) {
	t.Helper()
	d := newDisk()
	v, _, err := open(d, usual, initTerms())
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(v.Handle.Use(), v.Handle.Close()); err != nil {
		t.Fatal(err)
	}
	v.Handle = nil
	return d, v
}
