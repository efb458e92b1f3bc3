package sealedvolume

import (
	"bytes"
	"encoding/hex"
	"slices"
	"sync"
)

// FirstGeneration is that of the header of a volume that is complete and was never counted: the
// header of one that is being made has the generation before it.
const FirstGeneration = 2

// Counter has the generation of an open volume, which each start advances where a broker counts.
type Counter struct {
	disk Disk

	mu     sync.Mutex
	header *header
	key    []byte
	closed func() error
}

// counter is nil where nobody counts. It copies the key.
func (o *opener) counter(h *header, key []byte) *Counter {
	if !o.terms.Counted {
		return nil
	}
	return &Counter{disk: o.disk, header: h, key: bytes.Clone(key)}
}

// Volume is the id of the volume in hexadecimal digits.
func (c *Counter) Volume() string { return hex.EncodeToString(c.header.id[:]) }

// Generation is what both copies of the header have.
func (c *Counter) Generation() uint64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.header.generation
}

// Advance writes a later generation, and returns when it outlasts a power cut. Where that fails the
// disk has one of the two, and the counter the earlier one.
func (c *Counter) Advance(generation uint64) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	next := &header{
		state: c.header.state, generation: generation, diskBytes: c.header.diskBytes, id: c.header.id,
		envelope: slices.Clone(c.header.envelope),
	}
	var err error
	if next.encoded, err = next.encode(c.key); err != nil {
		return err
	}
	if err := write(c.disk, next, copiesAt[:]...); err != nil {
		return err
	}
	c.header = next
	return nil
}

// Close forgets the key, and lets go of the disk.
func (c *Counter) Close() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	clear(c.key)
	if c.closed == nil {
		return nil
	}
	closed := c.closed
	c.closed = nil
	return closed()
}
