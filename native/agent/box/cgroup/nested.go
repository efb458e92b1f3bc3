package cgroup

import (
	"errors"
	"os"
	"path"
	"strconv"
	"strings"
	"syscall"

	"a3s.dev/box/agent/linux"
)

// OpenGroupOf opens the group that a process of the box is in, for another process to join; -1
// where that is the box's own.
//
// A box that may write to its control groups, such as one in which Docker runs, moves its processes
// into groups below its own and delegates controllers to those. From then on the kernel lets no
// process into the box's own group. Container runtimes start an exec beside the main process too.
//
// The box may move the process and remove the group in between: then the new one is looked up,
// once.
func (c *Cgroup) OpenGroupOf(pid int) (int, error) {
	return c.openNested(func() ([]byte, error) {
		return os.ReadFile("/proc/" + strconv.Itoa(pid) + "/cgroup")
	})
}

func (c *Cgroup) openNested(read func() ([]byte, error)) (int, error) {
	fd, err := c.openGroup(read)
	if errors.Is(err, syscall.ENOENT) || errors.Is(err, syscall.ENODEV) {
		return c.openGroup(read)
	}
	return fd, err
}

func (c *Cgroup) openGroup(read func() ([]byte, error)) (int, error) {
	groups, err := read()
	if err != nil {
		return -1, err
	}
	nested := c.nested(string(groups))
	if nested == "" {
		return -1, nil
	}
	return linux.OpenAt(-1, nested+"/cgroup.procs", syscall.O_WRONLY, 0, 0)
}

// nested returns the directory of the group that a line of /proc/PID/cgroup names, where it is
// below the box's; empty otherwise.
func (c *Cgroup) nested(groups string) string {
	for line := range strings.Lines(groups) {
		name, unified := strings.CutPrefix(strings.TrimSuffix(line, "\n"), "0::")
		if dir := path.Join(cgroupRoot, name); unified && strings.HasPrefix(dir, c.Dir+"/") {
			return dir
		}
	}
	return ""
}
