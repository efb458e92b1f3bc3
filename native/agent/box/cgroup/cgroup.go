// Package cgroup has the control group of the box, and the groups of single execs below it: limits,
// counters, freezing, killing.
package cgroup

import (
	"errors"
	"maps"
	"os"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"a3s.dev/box/agent/box/spec"
	"a3s.dev/box/agent/linux"
	"a3s.dev/box/agent/poll"
)

const (
	cgroupRoot  = "/sys/fs/cgroup"
	cgroupAgent = cgroupRoot + "/agent"
	cgroupBox   = cgroupRoot + "/box"
)

// The memory that the box leaves to the kernel and the agent: the reserve, and a 32nd part of all
// up to a limit.
const (
	reserve    = 32 << 20
	maxPortion = 64 << 20
)

// Cgroup is the control group that holds the box.
type Cgroup struct {
	// Procs is open on cgroup.procs: a process that writes "0" to it joins the group.
	Procs int
	// Namespace is a cgroup namespace whose root is the group.
	Namespace int
	// Dir is the group's directory.
	Dir string

	// mu protects what follows.
	mu sync.Mutex
	// limits are the values that were set, by file.
	limits map[string]string
	// counters are open files of counters that are read again and again.
	counters map[string]int
	// children counts the groups of execs that were made.
	children uint64
	// left are the groups of execs that are forgotten, in which processes may be.
	left []*Child
}

// New moves the agent out of the root group into one of its own, and makes one for the box.
func New() (*Cgroup, error) {
	if err := delegate(cgroupRoot, "cpu", "memory", "pids"); err != nil {
		return nil, err
	}
	// It only counts: a guest whose kernel lacks it has no such counters.
	_ = delegate(cgroupRoot, "io")
	for _, dir := range []string{cgroupAgent, cgroupBox} {
		if err := os.Mkdir(dir, 0o755); err != nil {
			return nil, err
		}
	}
	namespace, err := cgroupNamespace(cgroupBox)
	if err != nil {
		return nil, err
	}
	procs, err := linux.OpenAt(-1, cgroupBox+"/cgroup.procs", syscall.O_WRONLY, 0, 0)
	return &Cgroup{Procs: procs, Namespace: namespace, Dir: cgroupBox}, err
}

// delegate enables controllers for the groups below another one.
func delegate(dir string, controllers ...string) error {
	return os.WriteFile(dir+"/cgroup.subtree_control", []byte("+"+strings.Join(controllers, " +")), 0)
}

// cgroupNamespace makes a namespace rooted at a box's group: its root is the group that its maker
// is in, so the agent is there for a moment, while there is no box.
func cgroupNamespace(dir string) (int, error) {
	self := []byte("0")
	if err := os.WriteFile(dir+"/cgroup.procs", self, 0); err != nil {
		return -1, err
	}
	type result struct {
		fd  int
		err error
	}
	done := make(chan result)
	go func() {
		// Never unlocked: the thread ends here.
		runtime.LockOSThread()
		if err := linux.Unshare(syscall.CLONE_NEWCGROUP); err != nil {
			done <- result{-1, err}
			return
		}
		fd, err := linux.OpenAt(-1, "/proc/thread-self/ns/cgroup", syscall.O_RDONLY, 0, 0)
		done <- result{fd, err}
	}()
	made := <-done
	// In every case: what ends or freezes the group must not reach the agent.
	return made.fd, errors.Join(made.err, os.WriteFile(cgroupAgent+"/cgroup.procs", self, 0))
}

// ErrMemoryInUse is a memory limit below what the box uses and cannot do without.
var ErrMemoryInUse = errors.New("the box uses more memory than that")

// unlimitedGroup has the limits of a new control group.
var unlimitedGroup = map[string]string{
	"cpu.max": "max 100000", "pids.max": "max", "memory.low": "0", "cpu.weight": "100",
}

// Limit sets the limits of the box, and removes those that the resources do not name. It says
// whether the guest has less memory than the box may take. Memory is set first, so that a box that
// uses more keeps all of its limits.
func (c *Cgroup) Limit(resources *spec.Resources) (short bool, err error) {
	bytes, err := MemoryLimit(resources.MemoryBytes)
	if err != nil {
		return false, err
	}
	short = resources.MemoryBytes != nil && bytes < *resources.MemoryBytes
	limits := [][2]string{
		{"memory.max", strconv.FormatInt(bytes, 10)}, {"cpu.max", unlimitedGroup["cpu.max"]},
		{"pids.max", decimal(resources.Pids, unlimitedGroup["pids.max"])},
		{"memory.low", decimal(resources.MemoryReservationBytes, unlimitedGroup["memory.low"])},
		{"cpu.weight", decimal(resources.CPUWeight, unlimitedGroup["cpu.weight"])},
	}
	if resources.CPUMillis != nil {
		limits[1][1] = cpuMax(*resources.CPUMillis)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.limits == nil {
		c.limits = maps.Clone(unlimitedGroup)
	}
	for _, limit := range limits {
		file, value := limit[0], limit[1]
		if c.limits[file] == value {
			continue
		}
		err := os.WriteFile(c.Dir+"/"+file, []byte(value), 0)
		if errors.Is(err, syscall.EBUSY) {
			return short, ErrMemoryInUse
		}
		if err != nil {
			return short, &os.PathError{Op: "limit", Path: file, Err: err}
		}
		c.limits[file] = value
	}
	return short, nil
}

func decimal(limit *int64, otherwise string) string {
	if limit == nil {
		return otherwise
	}
	return strconv.FormatInt(*limit, 10)
}

// MemoryLimit returns the limit for a box that asks for this much memory. It leaves some to the
// agent, which must outlive a box that takes all that it can.
func MemoryLimit(asked *int64) (int64, error) {
	var info syscall.Sysinfo_t
	if err := syscall.Sysinfo(&info); err != nil {
		return 0, err
	}
	total := int64(info.Totalram) * int64(info.Unit)
	limit := max(total-reserve-min(total/32, maxPortion), total/2)
	if asked != nil {
		limit = min(limit, *asked)
	}
	return limit, nil
}

// cpuMax is a quota in microseconds and its period. The kernel's shortest quota is a millisecond,
// its longest period a second.
func cpuMax(millis int64) string {
	const shortQuota, shortPeriod, longPeriod = 1000, 100_000, 1_000_000
	// The kernel's own bound on a quota is far above any number of CPUs.
	millis = min(millis, 1<<30)
	if quota := millis * shortPeriod / 1000; quota >= shortQuota {
		return strconv.FormatInt(quota, 10) + " " + strconv.Itoa(shortPeriod)
	}
	return strconv.FormatInt(max(millis*longPeriod/1000, shortQuota), 10) + " " + strconv.Itoa(longPeriod)
}

// OomKills counts the processes of the box that the kernel killed for lack of memory.
func (c *Cgroup) OomKills() (uint64, error) { return c.Counter("memory.events", "oom_kill") }

// Kill ends everything in the box at once.
func (c *Cgroup) Kill() error { return os.WriteFile(c.Dir+"/cgroup.kill", []byte("1"), 0) }

// killDeadline bounds the wait for the end of processes that were killed.
const killDeadline = 10 * time.Second

// KillAll ends everything in the box, and returns when nothing is left.
func (c *Cgroup) KillAll() error {
	if err := c.Kill(); err != nil {
		return err
	}
	return poll.Until(killDeadline, "power off", "the box", func() (bool, error) {
		populated, err := c.populated()
		return !populated, err
	})
}

// populated says whether a process is left.
func (c *Cgroup) populated() (bool, error) {
	n, err := c.Counter("cgroup.events", "populated")
	return n != 0, err
}
