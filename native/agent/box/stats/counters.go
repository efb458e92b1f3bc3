package stats

import (
	"strconv"
	"strings"
)

// Counter names one line of a file of counters.
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

// Value returns the value of a counter, 0 where the kernel has none of the name.
func Value(counters []Counter, name string) uint64 {
	for _, counter := range counters {
		if counter.Name == name {
			return counter.Value
		}
	}
	return 0
}
