package box

import (
	"errors"
	"os"
	"strconv"
	"strings"
	"syscall"

	"a3s.dev/box/agent/linux"
)

// Stats are the counters of the group.
type Stats struct {
	MemoryBytes     uint64
	MemoryPeakBytes uint64
	CPUUsec         uint64
	Pids            uint64
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

// maxCounters is more than the kernel has in a file of counters.
const maxCounters = 16 << 10

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
	content := make([]byte, maxCounters)
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

// Counter is one line of a file of counters.
type Counter struct {
	Name  string
	Value uint64
}

// parseCounters reads lines of a name and a number, and passes over all others.
func parseCounters(content string) []Counter {
	var counters []Counter
	for line := range strings.Lines(content) {
		name, number, _ := strings.Cut(strings.TrimSuffix(line, "\n"), " ")
		if value, err := strconv.ParseUint(number, 10, 64); err == nil && name != "" {
			counters = append(counters, Counter{name, value})
		}
	}
	return counters
}

// valueIn is that of a counter; 0 where there is none.
func valueIn(counters []Counter, name string) uint64 {
	for _, counter := range counters {
		if counter.Name == name {
			return counter.Value
		}
	}
	return 0
}
