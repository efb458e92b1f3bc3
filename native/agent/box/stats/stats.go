// Package stats reads what the box uses of its guest, and which processes it has.
package stats

import "a3s.dev/box/agent/box/cgroup"

// Stats are the counters of the group.
type Stats struct {
	MemoryBytes     uint64
	MemoryPeakBytes uint64
	CPUUsec         uint64
	Pids            uint64
}

// Read reads the counters of the box that every protocol version has.
func Read(c *cgroup.Cgroup) (*Stats, error) {
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
		if *counter.value, err = c.Counter(counter.file, counter.key); err != nil {
			return nil, err
		}
	}
	return stats, nil
}
