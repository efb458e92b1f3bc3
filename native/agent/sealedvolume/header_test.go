package sealedvolume

import (
	"bytes"
	"encoding/binary"
	"math"
	"testing"
)

var testKey = bytes.Repeat([]byte{7}, keyBytes)

func sample(t testing.TB) []byte {
	t.Helper()
	h := &header{version: versionSealed, state: ready, generation: 2, diskBytes: size, id: [16]byte{1}, envelope: bytes.Repeat([]byte{5}, 300)}
	data, err := h.encode(testKey)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func TestAHeaderHasOneEncoding(t *testing.T) {
	data := sample(t)
	h, err := parse(data)
	if err != nil {
		t.Fatal(err)
	}
	if whole, err := h.verify(testKey); err != nil || !whole {
		t.Errorf("got %t, %v", whole, err)
	}
	if again, err := h.encode(testKey); err != nil || !bytes.Equal(again, data) {
		t.Errorf("got %x, %v", again, err)
	}
	if whole, err := h.verify(bytes.Repeat([]byte{8}, keyBytes)); err != nil || whole {
		t.Errorf("another key: got %t, %v", whole, err)
	}
}

func TestEveryChangedByteIsNoticed(t *testing.T) {
	for at := range headerBytes {
		data := sample(t)
		data[at] ^= 0x40
		h, err := parse(data)
		if err != nil {
			continue
		}
		if whole, err := h.verify(testKey); err != nil || whole {
			t.Fatalf("byte %d: got %t, %v", at, whole, err)
		}
	}
}

func TestAHeaderOfAnotherFormIsRefused(t *testing.T) {
	set16 := func(at int, value uint16) func(data []byte) []byte {
		return func(data []byte) []byte { binary.BigEndian.PutUint16(data[at:], value); return data }
	}
	set64 := func(at int, value uint64) func(data []byte) []byte {
		return func(data []byte) []byte { binary.BigEndian.PutUint64(data[at:], value); return data }
	}
	setByte := func(at int, value byte) func(data []byte) []byte {
		return func(data []byte) []byte { data[at] = value; return data }
	}
	for name, change := range map[string]func(data []byte) []byte{
		"empty":                           func([]byte) []byte { return nil },
		"zero":                            func(data []byte) []byte { clear(data); return data },
		"a byte short":                    func(data []byte) []byte { return data[:len(data)-1] },
		"a byte long":                     func(data []byte) []byte { return append(data, 0) },
		"another magic":                   setByte(7, 'X'),
		"version 0":                       set16(versionAt, 0),
		"version 2":                       set16(versionAt, 2),
		"no envelope":                     set16(envelopeSizeAt, 0),
		"a huge envelope":                 set16(envelopeSizeAt, math.MaxUint16),
		"an envelope beyond its bound":    set16(envelopeSizeAt, maxEnvelope+1),
		"an envelope that is cut":         set16(envelopeSizeAt, 299),
		"state 0":                         setByte(stateAt, 0),
		"state 4":                         setByte(stateAt, 4),
		"a byte after the state":          setByte(zeroAt, 1),
		"the last byte after the state":   setByte(generationAt-1, 1),
		"generation 0":                    set64(generationAt, 0),
		"no length":                       set64(diskBytesAt, 0),
		"a small length":                  set64(diskBytesAt, 32<<20-1),
		"a negative length":               set64(diskBytesAt, 1<<63),
		"no id":                           func(data []byte) []byte { clear(data[idAt:envelopeAt]); return data },
		"a byte after the envelope":       setByte(envelopeAt+300, 1),
		"the last byte before the MAC":    setByte(macAt-1, 1),
		"a header that is moved a sector": func(data []byte) []byte { return append(make([]byte, 512), data[:headerBytes-512]...) },
	} {
		if h, err := parse(change(sample(t))); err == nil {
			t.Errorf("%s: got %+v", name, h)
		}
	}
}

// FuzzParse: what is taken has one encoding, and no MAC of a key that the host does not have.
func FuzzParse(f *testing.F) {
	f.Add(sample(f))
	f.Add(make([]byte, headerBytes))
	f.Add([]byte(magic))
	f.Fuzz(func(t *testing.T, data []byte) {
		h, err := parse(data)
		if err != nil {
			return
		}
		again, err := h.encode(testKey)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(again[:macAt], data[:macAt]) {
			t.Error("it has two encodings")
		}
		if whole, err := h.verify(testKey); err != nil || whole != bytes.Equal(again, data) {
			t.Errorf("got %t, %v", whole, err)
		}
	})
}
