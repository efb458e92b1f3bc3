package box

import (
	"errors"
	"os"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"

	"a3s.dev/box/agent/linux"
)

const (
	cgroupRoot  = "/sys/fs/cgroup"
	cgroupAgent = cgroupRoot + "/agent"
	cgroupBox   = cgroupRoot + "/box"
)

// The memory that the box leaves to the kernel and the agent: the reserve, and a 32nd part of all up to a limit.
const (
	reserve    = 32 << 20
	maxPortion = 64 << 20
)

// Cgroup is the control group that holds the box.
type Cgroup struct {
	// Procs is open on cgroup.procs: who writes "0" to it moves in.
	Procs int
	// Namespace is a cgroup namespace whose root is the group.
	Namespace int
	// dir is the group's directory.
	dir string

	// mu protects what follows.
	mu sync.Mutex
	// limits are those that were set, by file.
	limits map[string]string
	// counters are open files of counters that are read again and again.
	counters map[string]int
}

// NewCgroup moves the agent out of the root group into one of its own, and makes one for the box.
func NewCgroup() (*Cgroup, error) {
	if err := os.WriteFile(cgroupRoot+"/cgroup.subtree_control", []byte("+cpu +memory +pids"), 0); err != nil {
		return nil, err
	}
	for _, dir := range []string{cgroupAgent, cgroupBox} {
		if err := os.Mkdir(dir, 0o755); err != nil {
			return nil, err
		}
	}
	namespace, err := cgroupNamespace()
	if err != nil {
		return nil, err
	}
	procs, err := linux.OpenAt(-1, cgroupBox+"/cgroup.procs", syscall.O_WRONLY, 0, 0)
	return &Cgroup{Procs: procs, Namespace: namespace, dir: cgroupBox}, err
}

// cgroupNamespace makes a namespace rooted at the box's group: its root is the group that its maker is in, so the agent is there for a
// moment, while there is no box.
func cgroupNamespace() (int, error) {
	self := []byte("0")
	if err := os.WriteFile(cgroupBox+"/cgroup.procs", self, 0); err != nil {
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
	if made.err != nil {
		return -1, made.err
	}
	return made.fd, os.WriteFile(cgroupAgent+"/cgroup.procs", self, 0)
}

// limit holds the box to its resources. It says whether the guest has less memory than the box may take.
func (c *Cgroup) limit(resources *Resources) (short bool, err error) {
	bytes, err := memoryLimit(resources.MemoryBytes)
	if err != nil {
		return false, err
	}
	memory := strconv.FormatInt(bytes, 10)
	short = resources.MemoryBytes != nil && bytes < *resources.MemoryBytes
	c.mu.Lock()
	defer c.mu.Unlock()
	limits := [][2]string{{"memory.max", memory}}
	if resources.CPUMillis != nil {
		limits = append(limits, [2]string{"cpu.max", cpuMax(*resources.CPUMillis)})
	}
	if resources.Pids != nil {
		limits = append(limits, [2]string{"pids.max", strconv.FormatInt(*resources.Pids, 10)})
	}
	for _, limit := range limits {
		if c.limits[limit[0]] == limit[1] {
			continue
		}
		if err := os.WriteFile(c.dir+"/"+limit[0], []byte(limit[1]), 0); err != nil {
			return short, &deviceError{"limit", limit[0], err}
		}
		if c.limits == nil {
			c.limits = map[string]string{}
		}
		c.limits[limit[0]] = limit[1]
	}
	return short, nil
}

// memoryLimit never promises what the guest does not have: the agent must outlive a box that takes all it can.
func memoryLimit(asked *int64) (int64, error) {
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

// cpuMax is a quota in microseconds and its period. The kernel's shortest quota is a millisecond, its longest period a second.
func cpuMax(millis int64) string {
	const shortQuota, shortPeriod, longPeriod = 1000, 100_000, 1_000_000
	// The kernel's own bound on a quota is far above any number of CPUs.
	millis = min(millis, 1<<30)
	if quota := millis * shortPeriod / 1000; quota >= shortQuota {
		return strconv.FormatInt(quota, 10) + " " + strconv.Itoa(shortPeriod)
	}
	return strconv.FormatInt(max(millis*longPeriod/1000, shortQuota), 10) + " " + strconv.Itoa(longPeriod)
}

// Stats are the counters of the group.
type Stats struct {
	MemoryBytes     uint64 `json:"memoryBytes"`
	MemoryPeakBytes uint64 `json:"memoryPeakBytes"`
	CPUUsec         uint64 `json:"cpuUsec"`
	Pids            uint64 `json:"pids"`
}

func (c *Cgroup) stats() (*Stats, error) {
	stats := &Stats{}
	var err error
	for _, counter := range []struct {
		file, key string
		value     *uint64
	}{
		{"memory.current", "", &stats.MemoryBytes},
		{"memory.peak", "", &stats.MemoryPeakBytes},
		{"cpu.stat", "usage_usec", &stats.CPUUsec},
		{"pids.current", "", &stats.Pids},
	} {
		if *counter.value, err = c.counter(counter.file, counter.key); err != nil {
			return nil, err
		}
	}
	return stats, nil
}

// oomKills counts the processes of the box that the kernel killed for lack of memory.
func (c *Cgroup) oomKills() (uint64, error) { return c.counter("memory.events", "oom_kill") }

// kill ends everything in the box at once.
func (c *Cgroup) kill() error { return os.WriteFile(c.dir+"/cgroup.kill", []byte("1"), 0) }

// populated says whether a process is left.
func (c *Cgroup) populated() (bool, error) {
	n, err := c.counter("cgroup.events", "populated")
	return n != 0, err
}

// read reads a file of the group, which stays open.
func (c *Cgroup) read(file string) ([]byte, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	fd, open := c.counters[file]
	if !open {
		var err error
		if fd, err = linux.OpenAt(-1, c.dir+"/"+file, syscall.O_RDONLY, 0, 0); err != nil {
			return nil, err
		}
		if c.counters == nil {
			c.counters = map[string]int{}
		}
		c.counters[file] = fd
	}
	content := make([]byte, 4096)
	n, err := syscall.Pread(fd, content, 0)
	if err != nil {
		return nil, &os.PathError{Op: "read", Path: c.dir + "/" + file, Err: err}
	}
	return content[:n], nil
}

var errCounter = errors.New("counter is missing")

// counter reads a file that is one number, or the line of one that begins with a key.
func (c *Cgroup) counter(file, key string) (uint64, error) {
	content, err := c.read(file)
	if err != nil {
		return 0, err
	}
	for text := string(content); text != ""; {
		var line string
		line, text, _ = strings.Cut(text, "\n")
		if key == "" {
			return strconv.ParseUint(line, 10, 64)
		}
		if len(line) > len(key) && line[len(key)] == ' ' && line[:len(key)] == key {
			return strconv.ParseUint(line[len(key)+1:], 10, 64)
		}
	}
	return 0, &deviceError{"counter", file + " " + key, errCounter}
}
