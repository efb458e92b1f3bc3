package cgroup

import (
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"

	"a3s.dev/box/agent/box/devicefilter"
	"a3s.dev/box/agent/box/spec"
	"a3s.dev/box/agent/guesttest"
)

// The kernel that the tests run on takes the program, and asks it.
func TestAGroupOpensTheDevicesOfItsFilter(t *testing.T) {
	guesttest.NeedRoot(t)
	top := t.TempDir()
	if err := syscall.Mount("cgroup2", top, "cgroup2", 0, ""); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = syscall.Unmount(top, syscall.MNT_DETACH) })
	group, err := os.MkdirTemp(top, "a3s-test-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.Remove(group) })
	// No driver has this number, so what is permitted is another error.
	major, minor := int64(60), int64(1)
	program := devicefilter.Program(nil, []spec.DeviceRule{{Kind: spec.DeviceChar, Major: &major, Minor: &minor, Access: "r"}})
	if err := (&Cgroup{Dir: group}).FilterDevices(program); err != nil {
		t.Fatal(err)
	}
	nodes := t.TempDir()
	for name, device := range map[string]int{"null": 1<<8 | 3, "named": 60<<8 | 1, "other": 60<<8 | 2} {
		if err := syscall.Mknod(filepath.Join(nodes, name), syscall.S_IFCHR|0o600, device); err != nil {
			t.Fatal(err)
		}
	}
	directory, err := os.Open(group)
	if err != nil {
		t.Fatal(err)
	}
	defer directory.Close()
	const script = `cd "$1"
for name in null named other; do for way in "cat $name" "echo x >$name"; do
echo "$way:$(eval "$way" 2>&1 | sed 's/.*://')"; done; done
mknod made c 60 3 && echo made`
	shell := exec.Command("sh", "-c", script, "sh", nodes)
	shell.SysProcAttr = &syscall.SysProcAttr{UseCgroupFD: true, CgroupFD: int(directory.Fd())}
	out, err := shell.CombinedOutput()
	const want = "cat null:\necho x >null:\ncat named: No such device or address\necho x >named: Operation not permitted\n" +
		"cat other: Operation not permitted\necho x >other: Operation not permitted\nmade\n"
	if string(out) != want || err != nil {
		t.Errorf("got %q, %v", out, err)
	}
}
