package cgroup

import (
	"errors"
	"os"
	"syscall"
	"time"

	"a3s.dev/box/agent/linux"
	"a3s.dev/box/agent/poll"
)

// containerPrefix begins the names of the control groups of containers below a pod's.
const containerPrefix = "container-"

// NewContainer makes the control group of a container below that of its pod, in which no process
// is: the pod's limits hold for all of its containers together. One goroutine at a time calls it.
func (c *Cgroup) NewContainer(id string) (*Cgroup, error) {
	if err := delegate(c.Dir, "cpu", "memory", "pids"); err != nil {
		return nil, err
	}
	// As for the box's own group.
	_ = delegate(c.Dir, "io")
	g := &Cgroup{Procs: -1, Namespace: -1, Dir: c.Dir + "/" + containerPrefix + id}
	if err := os.Mkdir(g.Dir, 0o755); err != nil {
		return nil, err
	}
	var err error
	if g.Namespace, err = cgroupNamespace(g.Dir); err == nil {
		g.Procs, err = linux.OpenAt(-1, g.Dir+"/cgroup.procs", syscall.O_WRONLY, 0, 0)
	}
	if err != nil {
		return nil, errors.Join(err, g.Remove())
	}
	return g, nil
}

// Remove closes and removes a group, with the groups that the box has made below it. No process is
// left in any of them.
func (c *Cgroup) Remove() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	var err error
	for _, fd := range c.counters {
		err = errors.Join(err, syscall.Close(fd))
	}
	c.counters = nil
	for _, fd := range []*int{&c.Procs, &c.Namespace} {
		if *fd >= 0 {
			err = errors.Join(err, syscall.Close(*fd))
			*fd = -1
		}
	}
	return errors.Join(err, removeGroups(c.Dir, time.Now().Add(groupTime)))
}

// removeGroups removes a group after those below it. The kernel still counts a process that has
// just ended.
func removeGroups(dir string, end time.Time) error {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	for _, entry := range entries {
		if entry.IsDir() {
			if err := removeGroups(dir+"/"+entry.Name(), end); err != nil {
				return err
			}
		}
	}
	for ; ; time.Sleep(poll.Interval) {
		err := syscall.Rmdir(dir)
		if err == nil || err == syscall.ENOENT {
			return nil
		}
		if err != syscall.EBUSY || time.Now().After(end) {
			return &os.PathError{Op: "remove", Path: dir, Err: err}
		}
	}
}
