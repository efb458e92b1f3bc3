package sealedvolume

import (
	"encoding/hex"
	"errors"
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
	if uncounted.Handle != nil {
		t.Error("it has a handle that nobody asked for")
	}
	if v, err := opened(t, newDisk()).Handle, error(nil); err != nil || v.Generation() != FirstGeneration {
		t.Errorf("a new one has generation %d", v.Generation())
	}
	c := opened(t, d).Handle
	if c.Generation() != FirstGeneration || c.Volume() != hex.EncodeToString(uncounted.ID[:]) {
		t.Errorf("got %d of %s", c.Generation(), c.Volume())
	}
	for generation := uint64(FirstGeneration + 1); generation < 6; generation++ {
		if err := c.Advance(generation); err != nil || c.Generation() != generation {
			t.Errorf("got %d, %v", c.Generation(), err)
		}
		if again := opened(t, d.again()); again.Handle.Generation() != generation || again.ID != uncounted.ID || again.Created {
			t.Errorf("got %+v with %d", again, again.Handle.Generation())
		}
	}
	key := c.(*handle).key
	if err := c.Close(); err != nil || !isZero(key) {
		t.Errorf("the key is kept: %v", err)
	}
	if err := c.Advance(9); !errors.Is(err, errClosed) {
		t.Errorf("got %v", err)
	}
}

func TestAPowerCutWhileItIsCountedLeavesOneOfTwoGenerations(t *testing.T) {
	for writes := range 2 {
		for _, torn := range []bool{false, true} {
			d, _ := made(t)
			c := opened(t, d).Handle
			d.writes, d.torn = writes, torn
			if err := c.Advance(3); err == nil || c.Generation() != FirstGeneration {
				t.Errorf("got %d, %v", c.Generation(), err)
			}
			// The first of the copies that are written has it, or neither.
			want := uint64(FirstGeneration + writes)
			if again := opened(t, d.again()).Handle; again.Generation() != want {
				t.Errorf("after %d writes: got %d, want %d", writes, again.Generation(), want)
			}
		}
	}
}

func TestAnOlderDiskHasAnOlderGeneration(t *testing.T) {
	d, _ := made(t)
	older := d.again()
	if err := opened(t, d).Handle.Advance(3); err != nil {
		t.Fatal(err)
	}
	if got := opened(t, older).Handle.Generation(); got != FirstGeneration {
		t.Errorf("got %d", got)
	}
}

func TestAVolumeThatNoWorkloadHadYetIsStillNew(t *testing.T) {
	d := newDisk()
	first, _, err := open(d, usual, initTerms())
	if err != nil || !first.Created {
		t.Fatalf("got %+v, %v", first, err)
	}
	// The start was ended before its workload ran; so was the next one, which expects the volume.
	for _, terms := range []Terms{initTerms(), idTerms(first.ID)} {
		again, m, err := open(d.again(), usual, terms)
		if err != nil || !again.Created || again.ID != first.ID || m.formats > 0 {
			t.Errorf("got %+v, %v", again, err)
		}
	}
	if err := errors.Join(first.Handle.Use(), first.Handle.Use()); err != nil {
		t.Fatal(err)
	}
	if used, _, err := open(d.again(), usual, initTerms()); err != nil || used.Created || used.Handle != nil || used.ID != first.ID {
		t.Errorf("got %+v, %v", used, err)
	}
}

func TestAPowerCutWhileAVolumeIsFirstUsedLeavesItUsedOrNew(t *testing.T) {
	for writes := range 2 {
		for _, torn := range []bool{false, true} {
			d := newDisk()
			v, _, err := open(d, usual, initTerms())
			if err != nil {
				t.Fatal(err)
			}
			d.writes, d.torn = writes, torn
			if err := v.Handle.Use(); !errors.Is(err, errCut) {
				t.Errorf("got %v", err)
			}
			again, m, err := open(d.again(), usual, initTerms())
			if err != nil || again.ID != v.ID || again.Created != (writes == 0) || m.formats > 0 {
				t.Errorf("after %d writes, torn %t: got %+v, %v", writes, torn, again, err)
			}
		}
	}
}

func TestTheFirstUseKeepsTheGeneration(t *testing.T) {
	d := newDisk()
	v, _, err := open(d, usual, countedTerms())
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(v.Handle.Advance(3), v.Handle.Use()); err != nil {
		t.Fatal(err)
	}
	if again := opened(t, d.again()); again.Created || again.Handle.Generation() != 3 {
		t.Errorf("got %+v with %d", again, again.Handle.Generation())
	}
}
