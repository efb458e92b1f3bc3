package linux

import (
	"os"
	"sync"
	"syscall"
	"testing"
)

// deeper calls f below some frames, so that f begins at another distance from the end of its
// goroutine's stack.
//
//go:noinline
func deeper(frames int, f func()) byte {
	var frame [64]byte
	if frames > 0 {
		return deeper(frames-1, f) + frame[frames%len(frame)]
	}
	f()
	return frame[0]
}

// A stack that grows moves. What the kernel writes then has to be where Go reads it.
func TestResultsArriveWhereverTheStackEnds(t *testing.T) {
	link := t.TempDir() + "/link"
	if err := os.Symlink("/target", link); err != nil {
		t.Fatal(err)
	}
	fd, err := OpenAt(-1, link, OPath|syscall.O_NOFOLLOW, 0, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer syscall.Close(fd)
	var wait sync.WaitGroup
	for frames := range 400 {
		wait.Add(1)
		go deeper(frames, func() {
			defer wait.Done()
			if target, err := ReadLink(fd); err != nil || target != "/target" {
				t.Errorf("below %d frames: got %q, %v", frames, target, err)
			}
			var random [16]byte
			if n, err := Random(random[:]); err != nil || n != len(random) || random == [16]byte{} {
				t.Errorf("below %d frames: got %x, %d, %v", frames, random, n, err)
			}
		})
	}
	wait.Wait()
}
