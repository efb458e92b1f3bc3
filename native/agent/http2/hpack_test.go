package http2

import (
	"encoding/hex"
	"errors"
	"strings"
	"testing"
)

func decodeHex(t *testing.T, d *decoder, text string) ([]field, error) {
	t.Helper()
	block, err := hex.DecodeString(strings.ReplaceAll(text, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	var got []field
	err = d.decode(block, func(name, value string) { got = append(got, field{name, value}) })
	return got, err
}

// The examples of RFC 7541, appendices C.3 and C.4: three requests on one connection, as they are
// and Huffman-coded.
func TestExamplesOfTheStandardAreDecoded(t *testing.T) {
	want := [][]field{
		{{":method", "GET"}, {":scheme", "http"}, {":path", "/"}, {":authority", "www.example.com"}},
		{{":method", "GET"}, {":scheme", "http"}, {":path", "/"}, {":authority", "www.example.com"}, {"cache-control", "no-cache"}},
		{{":method", "GET"}, {":scheme", "https"}, {":path", "/index.html"}, {":authority", "www.example.com"}, {"custom-key", "custom-value"}},
	}
	for name, blocks := range map[string][]string{
		"plain": {
			"828684410f7777772e6578616d706c652e636f6d",
			"828684be58086e6f2d6361636865",
			"828785bf400a637573746f6d2d6b65790c637573746f6d2d76616c7565",
		},
		"huffman": {
			"828684418cf1e3c2e5f23a6ba0ab90f4ff",
			"828684be5886a8eb10649cbf",
			"828785bf408825a849e95ba97d7f8925a849e95bb8e8b4bf",
		},
	} {
		d := newDecoder()
		for index, block := range blocks {
			got, err := decodeHex(t, d, block)
			if err != nil || len(got) != len(want[index]) {
				t.Fatalf("%s %d: got %v, %v", name, index, got, err)
			}
			for at, f := range got {
				if f != want[index][at] {
					t.Errorf("%s %d: got %v, want %v", name, index, f, want[index][at])
				}
			}
		}
		if d.size != 164 || len(d.entries) != 3 {
			t.Errorf("%s: the table has %d entries, %d bytes", name, len(d.entries), d.size)
		}
	}
}

// The example of C.5: a table of 256 bytes, of which entries are evicted.
func TestEntriesAreEvicted(t *testing.T) {
	d := newDecoder()
	d.limit = 256
	for _, block := range []string{
		"4803333032580770726976617465611d4d6f6e2c203231204f637420323031332032303a31333a323120474d546e1768747470733a2f2f7777772e6578616d706c652e636f6d",
		"4803333037c1c0bf",
	} {
		if _, err := decodeHex(t, d, block); err != nil {
			t.Fatal(err)
		}
	}
	if d.size != 222 || len(d.entries) != 4 || d.entries[3] != (field{":status", "307"}) {
		t.Errorf("the table is %v, %d bytes", d.entries, d.size)
	}
}

func TestATableMayShrinkAndEmpty(t *testing.T) {
	d := newDecoder()
	if _, err := decodeHex(t, d, "400161 0162"); err != nil || len(d.entries) != 1 {
		t.Fatalf("%v, %v", d.entries, err)
	}
	if _, err := decodeHex(t, d, "20 82"); err != nil || len(d.entries) != 0 || d.size != 0 {
		t.Errorf("%v, %v", d.entries, err)
	}
	// An entry that is larger than the table is none.
	if _, err := decodeHex(t, d, "400161 0162"); err != nil || len(d.entries) != 0 {
		t.Errorf("%v, %v", d.entries, err)
	}
}

func TestAMalformedHeaderBlockIsRefused(t *testing.T) {
	for name, block := range map[string]string{
		"the index 0":                      "80",
		"an index that is not in a table":  "be",
		"a name that is not in a table":    "7e 0161",
		"half a number":                    "ff",
		"a number that does not end":       "ff ff ff ff ff ff ff ff ff ff",
		"a number that is too large":       "ff ff ff ff 7f",
		"no name":                          "00",
		"a name that ends early":           "00 05 61",
		"no value":                         "00 01 61",
		"a table larger than was offered":  "3f e2 1f",
		"a table that changes in a block":  "82 20",
		"a Huffman code of the end":        "00 84 ff ff ff ff 01 61",
		"Huffman padding of zeros":         "00 81 18 01 61",
		"Huffman padding of a whole octet": "00 82 1f ff 01 61",
	} {
		if got, err := decodeHex(t, newDecoder(), block); !errors.Is(err, errCompression) {
			t.Errorf("%s: got %v, %v", name, got, err)
		}
	}
}

// Every octet comes back from its code, which the lengths alone give.
func TestEveryOctetHasACode(t *testing.T) {
	for symbol := range 256 {
		length := int(codeLengths[symbol])
		at := -1
		for index := code.index[length]; index < code.index[length+1]; index++ {
			if int(code.symbols[index]) == symbol {
				at = int(index)
			}
		}
		bits := uint64(code.first[length]) + uint64(at) - uint64(code.index[length])
		// Filled up with ones.
		total := (length + 7) / 8 * 8
		bits = bits<<(total-length) | (1<<(total-length) - 1)
		var coded []byte
		for shift := total - 8; shift >= 0; shift -= 8 {
			coded = append(coded, byte(bits>>shift))
		}
		got, err := code.decode(nil, coded)
		if err != nil || len(got) != 1 || int(got[0]) != symbol {
			t.Errorf("%d: got %v, %v", symbol, got, err)
		}
	}
	if code.symbols[255] != 22 || code.first[longest]+uint32(256-code.index[longest]) != 0x3fffffff {
		t.Error("the longest codes are not those before the end's")
	}
}

// FuzzHeaders: no block makes the table larger than it may be, and a block gives no more than its
// bytes can mean.
func FuzzHeaders(f *testing.F) {
	for _, seed := range []string{"828684418cf1e3c2e5f23a6ba0ab90f4ff", "400161016220be", "3fe11f82"} {
		block, err := hex.DecodeString(seed)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(block)
	}
	f.Fuzz(func(t *testing.T, block []byte) {
		d := newDecoder()
		for range 2 {
			fields := 0
			if err := d.decode(block, func(string, string) { fields++ }); err != nil && !errors.Is(err, errCompression) {
				t.Fatal(err)
			}
			size := 0
			for _, f := range d.entries {
				size += len(f.name) + len(f.value) + entryOverhead
			}
			if size != d.size || size > tableSize || fields > len(block) {
				t.Fatalf("%d bytes counted as %d, %d fields", size, d.size, fields)
			}
		}
	})
}
