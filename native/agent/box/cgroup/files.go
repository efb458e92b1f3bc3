package cgroup

import (
	"errors"
	"os"
	"strconv"
	"strings"
	"syscall"

	"a3s.dev/box/agent/linux"
)

// maxCounters is more than the kernel has in a file of counters.
const maxCounters = 16 << 10

// Read reads a file of the group, and keeps it open for the next read.
func (c *Cgroup) Read(file string) ([]byte, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	fd, open := c.counters[file]
	if !open {
		var err error
		if fd, err = linux.OpenAt(-1, c.Dir+"/"+file, syscall.O_RDONLY, 0, 0); err != nil {
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
		return nil, &os.PathError{Op: "read", Path: c.Dir + "/" + file, Err: err}
	}
	return content[:n], nil
}

var errCounter = errors.New("counter is missing")

// Counter reads a file with one number, or, where a key is given, the line of a file that begins
// with it.
func (c *Cgroup) Counter(file, key string) (uint64, error) {
	content, err := c.Read(file)
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
	return 0, &os.PathError{Op: "counter", Path: file + " " + key, Err: errCounter}
}
