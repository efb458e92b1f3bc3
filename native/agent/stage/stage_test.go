package stage

import (
	"os"
	"runtime"
	"syscall"
	"testing"

	"a3s.dev/box/agent/guesttest"
	"a3s.dev/box/agent/linux"
)

// The threads of a test share one root and working directory, as those do that Go's scheduler
// starts from the thread of a stage.
func TestAThreadEntersMountsThatSharedItsRootWithOthers(t *testing.T) {
	guesttest.NeedRoot(t)
	file, err := os.Open("/proc/self/ns/mnt")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	entered := make(chan [2]error)
	go func() {
		// Never unlocked: the thread, which has a root of its own, ends with this function.
		runtime.LockOSThread()
		shared := linux.SetNamespace(int(file.Fd()), syscall.CLONE_NEWNS)
		entered <- [2]error{shared, enterMounts(int(file.Fd()))}
	}()
	errs := <-entered
	if errs[0] == nil {
		t.Error("the kernel took a thread that shares its root: this test shows nothing")
	}
	if errs[1] != nil {
		t.Error(errs[1])
	}
}
