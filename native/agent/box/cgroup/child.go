package cgroup

import (
	"errors"
	"os"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"a3s.dev/box/agent/linux"
	"a3s.dev/box/agent/poll"
)

// groupPrefix begins the names of the control groups below the box's.
const groupPrefix = "exec-"

// groupTime bounds the wait for the end of the processes of a killed group.
const groupTime = 10 * time.Second

// Child is the control group of one process and of all that it starts, below the box's. It has no
// limits of its own.
type Child struct {
	dir string
	// Procs is open on what names its members, until the process is one.
	Procs int
}

// NewChild makes a control group below the box's. Its caller opens it to one process, and calls
// Entered after that.
func (c *Cgroup) NewChild(id string) (*Child, error) {
	c.mu.Lock()
	c.removeLeft()
	c.children++
	// What was left by an earlier process of this id may go on.
	name := groupPrefix + id + "-" + strconv.FormatUint(c.children, 10)
	c.mu.Unlock()
	g := &Child{dir: c.Dir + "/" + name, Procs: -1}
	if err := os.Mkdir(g.dir, 0o755); err != nil {
		return nil, err
	}
	var err error
	if g.Procs, err = linux.OpenAt(-1, g.dir+"/cgroup.procs", syscall.O_WRONLY, 0, 0); err != nil {
		return nil, errors.Join(err, syscall.Rmdir(g.dir))
	}
	return g, nil
}

// Entered closes the file that a process joins the group by.
func (g *Child) Entered() error {
	err := syscall.Close(g.Procs)
	g.Procs = -1
	return err
}

// ErrEmpty is a group without a process.
var ErrEmpty = errors.New("no process is in the control group")

// Kill kills all processes of the group; ErrEmpty where there are none.
func (g *Child) Kill() error {
	populated, err := g.populated()
	if errors.Is(err, os.ErrNotExist) || err == nil && !populated {
		return ErrEmpty
	}
	if err != nil {
		return err
	}
	return os.WriteFile(g.dir+"/cgroup.kill", []byte("1"), 0)
}

func (g *Child) populated() (bool, error) {
	events, err := os.ReadFile(g.dir + "/cgroup.events")
	return strings.Contains(string(events), "populated 1\n"), err
}

// Tidy removes the group if it is empty. It says whether that is gone.
func (g *Child) Tidy() bool {
	err := syscall.Rmdir(g.dir)
	return err == nil || err == syscall.ENOENT
}

// Leave gives a group up whose process is forgotten. What that has left behind goes on, as with
// other container runtimes. The group is removed once it is empty and another one is made or left,
// or with the box's.
func (c *Cgroup) Leave(g *Child) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.left = append(c.left, g)
	c.removeLeft()
}

// removeLeft removes the groups that were left and are empty. Caller holds the lock.
func (c *Cgroup) removeLeft() { c.left = slices.DeleteFunc(c.left, (*Child).Tidy) }

// End kills all processes of the group, and removes it.
func (g *Child) End() error {
	if err := g.Kill(); err != nil && err != ErrEmpty {
		return err
	}
	for end := time.Now().Add(groupTime); ; time.Sleep(poll.Interval) {
		err := syscall.Rmdir(g.dir)
		if err != syscall.EBUSY || time.Now().After(end) {
			if err == nil || err == syscall.ENOENT {
				return nil
			}
			return &os.PathError{Op: "remove", Path: g.dir, Err: err}
		}
	}
}
