package http2

import "errors"

// tableSize is the size of the dynamic table for the headers of requests: the default, which
// clients use before they know the settings.
const tableSize = 4096

// entryOverhead is what an entry counts in addition to its text; RFC 7541, section 4.1.
const entryOverhead = 32

// maxInteger bounds every number of a header block; nothing that it counts is larger.
const maxInteger = 1 << 24

var errCompression = errors.New("a header block is not one")

type field struct{ name, value string }

// decoder reads header blocks; RFC 7541.
type decoder struct {
	// entries are the dynamic table, the oldest first.
	entries []field
	size    int
	limit   int
}

func newDecoder() *decoder { return &decoder{limit: tableSize} }

// decode reads one block, and hands every field on.
func (d *decoder) decode(block []byte, emit func(name, value string)) error {
	for started := false; len(block) > 0; {
		first := block[0]
		var f field
		var err error
		switch {
		case first&0x80 != 0:
			var index int
			if index, block, err = integer(block, 7); err == nil {
				f, err = d.at(index)
			}
		case first&0xc0 == 0x40:
			if f, block, err = d.literal(block, 6); err == nil {
				d.add(f)
			}
		case first&0xe0 == 0x20:
			var limit int
			limit, block, err = integer(block, 5)
			if err != nil || started || limit > tableSize {
				return errCompression
			}
			d.limit = limit
			d.evict(0)
			continue
		default:
			f, block, err = d.literal(block, 4)
		}
		if err != nil {
			return err
		}
		started = true
		emit(f.name, f.value)
	}
	return nil
}

func (d *decoder) literal(block []byte, prefix int) (f field, rest []byte, err error) {
	index, rest, err := integer(block, prefix)
	if err != nil {
		return f, nil, err
	}
	if index == 0 {
		f.name, rest, err = text(rest)
	} else if f, err = d.at(index); err == nil {
		f.value = ""
	}
	if err == nil {
		f.value, rest, err = text(rest)
	}
	return f, rest, err
}

// at finds an entry: the static ones come first, then the dynamic ones from the newest on.
func (d *decoder) at(index int) (field, error) {
	switch dynamic := index - len(static); {
	case index < 1 || dynamic > len(d.entries):
		return field{}, errCompression
	case dynamic <= 0:
		return static[index-1], nil
	default:
		return d.entries[len(d.entries)-dynamic], nil
	}
}

func (d *decoder) add(f field) {
	size := len(f.name) + len(f.value) + entryOverhead
	d.evict(size)
	// What is larger than the whole table empties it.
	if size <= d.limit {
		d.entries = append(d.entries, f)
		d.size += size
	}
}

// evict makes room for an entry.
func (d *decoder) evict(room int) {
	drop := 0
	for drop < len(d.entries) && d.size+room > d.limit {
		d.size -= len(d.entries[drop].name) + len(d.entries[drop].value) + entryOverhead
		drop++
	}
	if drop > 0 {
		d.entries = append(d.entries[:0], d.entries[drop:]...)
	}
}

// integer reads a number whose first byte has a prefix of so many bits; section 5.1.
func integer(block []byte, prefix int) (n int, rest []byte, err error) {
	if len(block) == 0 {
		return 0, nil, errCompression
	}
	mask := 1<<prefix - 1
	n = int(block[0]) & mask
	if n < mask {
		return n, block[1:], nil
	}
	for index, shift := 1, 0; index < len(block) && shift <= 21; index, shift = index+1, shift+7 {
		n += int(block[index]&0x7f) << shift
		if n > maxInteger {
			return 0, nil, errCompression
		}
		if block[index]&0x80 == 0 {
			return n, block[index+1:], nil
		}
	}
	return 0, nil, errCompression
}

// text reads a string; section 5.2.
func text(block []byte) (value string, rest []byte, err error) {
	if len(block) == 0 {
		return "", nil, errCompression
	}
	coded := block[0]&0x80 != 0
	length, rest, err := integer(block, 7)
	if err != nil || length > len(rest) {
		return "", nil, errCompression
	}
	bytes, rest := rest[:length], rest[length:]
	if coded {
		if bytes, err = code.decode(make([]byte, 0, 2*length), bytes); err != nil {
			return "", nil, err
		}
	}
	return string(bytes), rest, nil
}

// appendAnswer appends the header block of an answer. It keeps nothing for later ones, so that
// there is no state to agree on.
func appendAnswer(block []byte, status int, contentType string) []byte {
	switch status {
	case 200:
		block = append(block, 0x80|indexStatus)
	case 204:
		block = append(block, 0x80|indexStatus+1)
	default:
		block = append(block, indexStatus, 3, byte('0'+status/100), byte('0'+status/10%10), byte('0'+status%10))
	}
	if contentType != "" {
		// 15 and what is above it: the name's index in four bits.
		block = append(block, 0x0f, indexContentType-0x0f, byte(len(contentType)))
		block = append(block, contentType...)
	}
	return block
}
