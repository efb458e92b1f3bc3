package seccomp

import (
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"a3s.dev/box/agent/linux"
)

const applied = "A3S_TEST_SECCOMP"

// A filter cannot be taken off again, so a child of the test puts it on and says what it finds.
func TestMain(m *testing.M) {
	if os.Getenv(applied) == "" {
		os.Exit(m.Run())
	}
	if err := apply(); err != nil {
		os.Stdout.WriteString(err.Error())
		os.Exit(1)
	}
}

func apply() error {
	if err := linux.SetNoNewPrivileges(); err != nil {
		return err
	}
	if err := linux.SetFilter(Default(docker()), 0); err != nil {
		return err
	}
	say := func(name string, errno syscall.Errno) { os.Stdout.WriteString(name + ": " + errno.Error() + "\n") }
	for _, family := range []uintptr{syscall.AF_UNIX, 40} {
		_, _, errno := syscall.RawSyscall(syscall.SYS_SOCKET, family, syscall.SOCK_STREAM, 0)
		say("socket", errno)
	}
	_, _, errno := syscall.RawSyscall(435, 0, 0, 0)
	say("clone3", errno)
	_, _, errno = syscall.RawSyscall(syscall.SYS_UNSHARE, syscall.CLONE_NEWUSER, 0, 0)
	say("unshare", errno)
	_, _, errno = syscall.RawSyscall(syscall.SYS_KEYCTL, 0, 0, 0)
	say("keyctl", errno)
	return nil
}

func TestTheKernelTakesTheFilter(t *testing.T) {
	command := exec.Command("/proc/self/exe")
	command.Env = append(os.Environ(), applied+"=1")
	out, err := command.CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	want := []string{
		"socket: errno 0", "socket: operation not permitted", "clone3: function not implemented",
		"unshare: operation not permitted", "keyctl: operation not permitted",
	}
	if got := strings.TrimSpace(string(out)); got != strings.Join(want, "\n") {
		t.Errorf("got:\n%s", got)
	}
}
