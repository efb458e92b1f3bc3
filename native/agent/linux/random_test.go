package linux

import (
	"bytes"
	"testing"
)

func TestRandomBytesDiffer(t *testing.T) {
	a, b := make([]byte, 16), make([]byte, 16)
	for _, buffer := range [][]byte{a, b} {
		if n, err := Random(buffer); n != len(buffer) || err != nil {
			t.Fatalf("got %d, %v", n, err)
		}
	}
	if bytes.Equal(a, b) {
		t.Errorf("twice %x", a)
	}
}
