package boot

import (
	"runtime"
	"sync"
	"syscall"
	"testing"
)

func TestNoGoroutineGetsTheFirstThread(t *testing.T) {
	const goroutines = 100
	var started, ended sync.WaitGroup
	started.Add(goroutines)
	release := make(chan struct{})
	threads := make(chan int, goroutines)
	for range goroutines {
		ended.Add(1)
		go func() {
			defer ended.Done()
			runtime.LockOSThread()
			defer runtime.UnlockOSThread()
			threads <- syscall.Gettid()
			started.Done()
			<-release
		}()
	}
	started.Wait()
	close(release)
	ended.Wait()
	close(threads)
	for thread := range threads {
		if thread == syscall.Getpid() {
			t.Error("a goroutine has locked the first thread")
		}
	}
}
