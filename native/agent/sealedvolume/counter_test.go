package sealedvolume

import (
	"encoding/hex"
	"testing"
)

func countedTerms() Terms {
	terms := initTerms()
	terms.Counted = true
	return terms
}

func opened(t *testing.T, d *disk) *Volume {
	t.Helper()
	v, _, err := open(d, usual, countedTerms())
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func TestAVolumeIsCountedFromTheFirstGenerationOn(t *testing.T) {
	d, uncounted := made(t)
	if uncounted.Counter != nil {
		t.Error("it has a counter that nobody asked for")
	}
	if v, err := opened(t, newDisk()).Counter, error(nil); err != nil || v.Generation() != FirstGeneration {
		t.Errorf("a new one has generation %d", v.Generation())
	}
	c := opened(t, d).Counter
	if c.Generation() != FirstGeneration || c.Volume() != hex.EncodeToString(uncounted.ID[:]) {
		t.Errorf("got %d of %s", c.Generation(), c.Volume())
	}
	for generation := uint64(FirstGeneration + 1); generation < 6; generation++ {
		if err := c.Advance(generation); err != nil || c.Generation() != generation {
			t.Errorf("got %d, %v", c.Generation(), err)
		}
		if again := opened(t, d.again()); again.Counter.Generation() != generation || again.ID != uncounted.ID || again.Created {
			t.Errorf("got %+v with %d", again, again.Counter.Generation())
		}
	}
	if err := c.Close(); err != nil || !isZero(c.key) {
		t.Errorf("the key is kept: %v", err)
	}
}

func TestAPowerCutWhileItIsCountedLeavesOneOfTwoGenerations(t *testing.T) {
	for writes := range 2 {
		for _, torn := range []bool{false, true} {
			d, _ := made(t)
			c := opened(t, d).Counter
			d.writes, d.torn = writes, torn
			if err := c.Advance(3); err == nil || c.Generation() != FirstGeneration {
				t.Errorf("got %d, %v", c.Generation(), err)
			}
			// The first of the copies that are written has it, or neither.
			want := uint64(FirstGeneration + writes)
			if again := opened(t, d.again()).Counter; again.Generation() != want {
				t.Errorf("after %d writes: got %d, want %d", writes, again.Generation(), want)
			}
		}
	}
}

func TestAnOlderDiskHasAnOlderGeneration(t *testing.T) {
	d, _ := made(t)
	older := d.again()
	if err := opened(t, d).Counter.Advance(3); err != nil {
		t.Fatal(err)
	}
	if got := opened(t, older).Counter.Generation(); got != FirstGeneration {
		t.Errorf("got %d", got)
	}
}
