package sealedvolume

import (
	"crypto/rand"
	"errors"
	"io"
	"slices"

	"a3s.dev/box/agent/dm"
	"a3s.dev/box/agent/sealing"
)

// Where the copies of the header are, in bytes. What lies between them is zero.
var copiesAt = [2]int64{0, dm.KeptStart / 2}

// emptyBytes is how much of a disk has to be zero for the disk to count as empty: more than
// everything that is written when a volume is made, up to its first files.
const emptyBytes = 16 << 20

// Disk is a disk of the host.
type Disk interface {
	io.ReaderAt
	io.WriterAt
	// Sync returns when everything that was written outlasts a power cut.
	Sync() error
	// Size is the length in bytes.
	Size() (int64, error)
}

// Sealer seals the key of a volume, and opens it again; sealing.Caller is one.
type Sealer interface {
	Seal(terms sealing.Terms, value []byte) ([]byte, error)
	Unseal(envelope []byte, purpose string) ([]byte, error)
}

// Mapper makes the encrypted device of a disk.
type Mapper interface {
	// Format makes an empty file system, and returns when it outlasts a power cut.
	Format(keys *dm.KeptKeys) (device string, err error)
	// Open never makes one.
	Open(keys *dm.KeptKeys) (device string, err error)
}

// Terms are what the launch spec says of a volume.
type Terms struct {
	Name, Policy string
	// Init permits to make a volume of a disk that is empty.
	Init bool
	// ID is the only volume that is opened; nil where Init is true.
	ID *[16]byte
	// Keyed is nil for a volume whose key is in an envelope.
	Keyed *Keyed
	// Counted has Volume.Handle made, whatever the volume's state.
	Counted bool
}

// Volume is one that was opened.
type Volume struct {
	// Device is its encrypted device.
	Device string
	ID     [16]byte
	// Created: no workload has had it yet. This start has made it, or one that was ended before its
	// workload ran.
	Created bool
	// Handle is nil unless Terms.Counted or Created. The caller closes it.
	Handle Handle
}

// Open opens the volume on a disk. It makes one only where the launch spec permits that, and only
// of a disk that is empty or whose header says that one was never made completely: a volume that
// cannot be opened is left as it is.
func Open(disk Disk, sealer Sealer, mapper Mapper, terms Terms) (*Volume, error) {
	o := &opener{disk, sealer, mapper, terms}
	size, err := disk.Size()
	if err != nil {
		return nil, err
	}
	if size < dm.MinKept {
		return nil, errLength
	}
	empty, err := isEmpty(disk)
	if err != nil {
		return nil, damaged(err)
	}
	if empty {
		return o.create(size)
	}
	h, key, err := o.find()
	if err != nil {
		return nil, err
	}
	defer clear(key)
	switch {
	case h.diskBytes != size:
		return nil, errLength
	case terms.ID != nil && h.id != *terms.ID:
		return nil, errOther
	case h.state == making && !terms.Init:
		return nil, errMaking
	case h.state == making:
		// The host may have kept this header, and have put it over a volume in use. So another
		// volume is made, never the same one again: a box that names the id refuses it.
		return o.create(size)
	}
	if err := o.repair(h); err != nil {
		return nil, err
	}
	device, err := o.mapped(h, key, mapper.Open)
	if err != nil {
		return nil, damaged(err)
	}
	return &Volume{Device: device, ID: h.id, Created: h.state == unused, Handle: o.handle(h, key)}, nil
}

type opener struct {
	disk   Disk
	sealer Sealer
	mapper Mapper
	terms  Terms
}

// purpose of the envelope: a volume's name is in it, so that no volume opens as another.
func (o *opener) purpose() string { return "volume/" + o.terms.Name }

// isEmpty reads until the first byte that is not zero.
func isEmpty(disk Disk) (bool, error) {
	part := make([]byte, 1<<20)
	for at := int64(0); at < emptyBytes; at += int64(len(part)) {
		if _, err := disk.ReadAt(part, at); err != nil {
			return false, err
		}
		if !isZero(part) {
			return false, nil
		}
	}
	return true, nil
}

// find returns the newest copy of the header that is whole, and the volume's key. An older copy
// decides only where the newer one is known not to be whole or not to be of this guest, and in the
// latter case it never says that the volume has still to be made.
func (o *opener) find() (*header, []byte, error) {
	var copies []*header
	for _, at := range copiesAt {
		data := make([]byte, headerBytes)
		if _, err := o.disk.ReadAt(data, at); err != nil {
			return nil, nil, damaged(err)
		}
		if h, err := parse(data); err == nil {
			copies = append(copies, h)
		}
	}
	if len(copies) == 2 && copies[0].generation < copies[1].generation {
		copies[0], copies[1] = copies[1], copies[0]
	}
	var refused error
	for _, h := range copies {
		key, err := o.keyOf(h)
		switch {
		case err == nil && h.state == making && isSaidMade(copies[0], refused):
			clear(key)
			return nil, nil, refused
		case err == nil:
			return h, key, nil
		case !isRefusal(err):
			// The processor may answer the next time: nothing is known of this copy.
			return nil, nil, err
		case refused == nil:
			refused = err
		}
	}
	if refused == nil {
		refused = errHeaders
	}
	return nil, nil, refused
}

// isSaidMade says whether a copy that was refused calls its volume made. A copy that a power cut
// tore has the envelope of the volume and no valid MAC: what it says counts for nothing.
func isSaidMade(h *header, refused error) bool {
	return refused != nil && !errors.Is(refused, errHeaders) && h.state != making
}

// keyOf returns the volume's key where the header is of it.
func (o *opener) keyOf(h *header) ([]byte, error) {
	key, err := o.keyNamed(h)
	if err != nil {
		return nil, err
	}
	whole := false
	if len(key) == keyBytes {
		if whole, err = h.verify(key); err != nil {
			clear(key)
			return nil, err
		}
	}
	if !whole {
		clear(key)
		return nil, errHeaders
	}
	return key, nil
}

// keyNamed returns the key that a header names. Whether the header is of it, nobody has verified.
func (o *opener) keyNamed(h *header) ([]byte, error) {
	switch {
	case o.terms.Keyed != nil:
		return o.terms.Keyed.keyFor(h, o.terms.Name)
	case h.version != versionSealed:
		return nil, errKeyed
	}
	key, err := o.sealer.Unseal(h.envelope, o.purpose())
	if err != nil {
		return nil, keyRefused(err)
	}
	return key, nil
}

// newKey returns the version of a header, the key of a volume that is made, and how the header
// names it.
func (o *opener) newKey() (version uint16, key, envelope []byte, err error) {
	if keyed := o.terms.Keyed; keyed != nil {
		if envelope, err = keyed.reference(o.terms.Name); err != nil {
			return 0, nil, nil, err
		}
		return versionKeyed, slices.Clone(keyed.Key), envelope, nil
	}
	key = make([]byte, keyBytes)
	// Never fails; see package crypto/rand.
	_, _ = rand.Read(key)
	envelope, err = o.sealer.Seal(sealing.Terms{Purpose: o.purpose(), Policy: o.terms.Policy}, key)
	if err != nil {
		clear(key)
		return 0, nil, nil, keyRefused(err)
	}
	return versionSealed, key, envelope, nil
}

// create makes a volume, under an id and a key of its own, of a disk that is empty or on which none
// was made completely.
func (o *opener) create(size int64) (*Volume, error) {
	if !o.terms.Init {
		return nil, errEmpty
	}
	if o.terms.Keyed != nil && o.terms.Keyed.Used {
		return nil, errUsed
	}
	version, key, envelope, err := o.newKey()
	if err != nil {
		return nil, err
	}
	defer clear(key)
	h := &header{version: version, state: making, generation: 1, diskBytes: size, envelope: envelope}
	_, _ = rand.Read(h.id[:])
	if h.encoded, err = h.encode(key); err != nil {
		return nil, err
	}
	if err := o.write(h, copiesAt[:]...); err != nil {
		return nil, err
	}
	return o.finish(h, key)
}

// finish makes the file system of a volume that no workload has used, and says so in the header
// afterwards. The copy that was read last is written last: each moment has a whole one.
func (o *opener) finish(h *header, key []byte) (*Volume, error) {
	device, err := o.mapped(h, key, o.mapper.Format)
	if err != nil {
		return nil, err
	}
	done := &header{version: h.version, state: unused, generation: FirstGeneration, diskBytes: h.diskBytes, id: h.id, envelope: h.envelope}
	if done.encoded, err = done.encode(key); err != nil {
		return nil, err
	}
	if err := o.write(done, copiesAt[1], copiesAt[0]); err != nil {
		return nil, err
	}
	return &Volume{Device: device, ID: h.id, Created: true, Handle: o.handle(done, key)}, nil
}

func (o *opener) mapped(h *header, key []byte, mapped func(keys *dm.KeptKeys) (string, error)) (string, error) {
	keys, err := diskKeys(key, h.id)
	if err != nil {
		return "", err
	}
	defer keys.Clear()
	return mapped(keys)
}

// write writes copies of a header one after the other: a power cut leaves at most one that is not
// whole.
func (o *opener) write(h *header, copies ...int64) error { return write(o.disk, h, copies...) }

func write(disk Disk, h *header, copies ...int64) error {
	for _, at := range copies {
		if _, err := disk.WriteAt(h.encoded, at); err != nil {
			return err
		}
		if err := disk.Sync(); err != nil {
			return err
		}
	}
	return nil
}

// repair writes a copy that differs from the header.
func (o *opener) repair(h *header) error {
	var errs []error
	for _, at := range copiesAt {
		data := make([]byte, headerBytes)
		_, err := o.disk.ReadAt(data, at)
		if err == nil && string(data) != string(h.encoded) {
			err = o.write(h, at)
		}
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}
