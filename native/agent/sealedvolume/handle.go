package sealedvolume

import (
	"bytes"
	"encoding/hex"
	"errors"
	"slices"
	"sync"
)

// FirstGeneration is that of the header of a volume that is complete and was never counted: the
// header of one that is being made has the generation before it.
const FirstGeneration = 2

// Handle writes the header of an open volume: its generation, which each start advances where a
// broker counts, and that a workload has it.
type Handle interface {
	// Volume is the id of the volume in hexadecimal digits.
	Volume() string
	// Generation is what both copies of the header have.
	Generation() uint64
	// Advance writes a later generation, and returns when it outlasts a power cut. Where that fails
	// the disk has one of the two, and the handle the earlier one.
	Advance(generation uint64) error
	// Use writes that a workload has the volume, which is about to run.
	Use() error
	// Close forgets the key, and lets go of the disk.
	Close() error
}

type handle struct {
	disk Disk

	mu     sync.Mutex
	header *header
	// key is nil once the handle is closed.
	key    []byte
	closed func() error
}

var errClosed = errors.New("the header of the volume is not written any more")

// handle is nil where nothing of the header will change. It copies the key.
func (o *opener) handle(h *header, key []byte) Handle {
	if !o.terms.Counted && h.state != unused {
		return nil
	}
	return &handle{disk: o.disk, header: h, key: bytes.Clone(key)}
}

func (h *handle) Volume() string { return hex.EncodeToString(h.header.id[:]) }

func (h *handle) Generation() uint64 {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.header.generation
}

func (h *handle) Advance(generation uint64) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.write(h.header.state, generation)
}

// Use changes no generation. Of two copies of one generation the first counts, which is written
// first: a power cut leaves a volume that was used or that was not, and the next start has it so.
func (h *handle) Use() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.header.state != unused {
		return nil
	}
	return h.write(ready, h.header.generation)
}

func (h *handle) write(state byte, generation uint64) error {
	if h.key == nil {
		return errClosed
	}
	next := &header{
		version: h.header.version, state: state, generation: generation, diskBytes: h.header.diskBytes, id: h.header.id,
		envelope: slices.Clone(h.header.envelope),
	}
	var err error
	if next.encoded, err = next.encode(h.key); err != nil {
		return err
	}
	if err := write(h.disk, next, copiesAt[:]...); err != nil {
		return err
	}
	h.header = next
	return nil
}

func (h *handle) Close() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	clear(h.key)
	h.key = nil
	if h.closed == nil {
		return nil
	}
	closed := h.closed
	h.closed = nil
	return closed()
}
