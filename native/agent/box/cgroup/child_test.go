package cgroup

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"

	"a3s.dev/box/agent/guesttest"
)

// newTestGroup makes a group of the kernel that the tests run on.
func newTestGroup(t *testing.T) *Cgroup {
	t.Helper()
	guesttest.NeedRoot(t)
	top := t.TempDir()
	if err := syscall.Mount("cgroup2", top, "cgroup2", 0, ""); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = syscall.Unmount(top, syscall.MNT_DETACH) })
	dir, err := os.MkdirTemp(top, "a3s-test-")
	if err != nil {
		t.Fatal(err)
	}
	c := &Cgroup{Dir: dir, Procs: -1, Namespace: -1}
	t.Cleanup(func() {
		if err := errors.Join(c.KillAll(), c.Remove()); err != nil {
			t.Error(err)
		}
	})
	return c
}

// leaveDaemon runs a process in a group of its own, which leaves another one behind. It returns the
// group, and what ends the other one.
func leaveDaemon(t *testing.T, c *Cgroup, id string) (g *Child, end func()) {
	t.Helper()
	g, err := c.NewChild(id)
	if err != nil {
		t.Fatal(err)
	}
	directory, err := os.Open(g.dir)
	if err != nil {
		t.Fatal(err)
	}
	defer directory.Close()
	input, output, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	// It inherits the input, and ends with it.
	shell := exec.Command("sh", "-c", "exec 3<&0; cat <&3 >/dev/null & true")
	shell.Stdin = input
	shell.SysProcAttr = &syscall.SysProcAttr{UseCgroupFD: true, CgroupFD: int(directory.Fd())}
	if err := errors.Join(shell.Run(), input.Close(), g.Entered()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = output.Close() })
	return g, func() {
		if err := output.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

func groups(t *testing.T, c *Cgroup) []string {
	t.Helper()
	found, err := filepath.Glob(c.Dir + "/" + groupPrefix + "*")
	if err != nil {
		t.Fatal(err)
	}
	return found
}

func TestWhatAnExecLeavesBehindGoesOnWhenItIsForgotten(t *testing.T) {
	c := newTestGroup(t)
	first, end := leaveDaemon(t, c, "a")
	if first.Tidy() {
		t.Fatal("the group is removed, and a process is in it")
	}
	c.Leave(first)
	if populated, err := first.populated(); err != nil || !populated {
		t.Fatalf("the daemon is gone: %v", err)
	}
	// The id is free again.
	second, endSecond := leaveDaemon(t, c, "a")
	c.Leave(second)
	if found := groups(t, c); len(found) != 2 {
		t.Errorf("got %q", found)
	}
	end()
	endSecond()
	for len(groups(t, c)) > 0 {
		third, err := c.NewChild("b")
		if err != nil {
			t.Fatal(err)
		}
		if err := third.Entered(); err != nil {
			t.Fatal(err)
		}
		c.Leave(third)
	}
	if len(c.left) != 0 {
		t.Errorf("%d groups are still counted", len(c.left))
	}
}

func TestAKilledGroupLeavesNothingBehind(t *testing.T) {
	c := newTestGroup(t)
	g, _ := leaveDaemon(t, c, "a")
	if err := g.Kill(); err != nil {
		t.Fatal(err)
	}
	c.Leave(g)
	for {
		populated, err := g.populated()
		if errors.Is(err, os.ErrNotExist) || err == nil && !populated {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := g.Kill(); err != ErrEmpty {
		t.Errorf("got %v", err)
	}
}
