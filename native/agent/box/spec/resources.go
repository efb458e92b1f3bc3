package spec

import (
	"slices"
	"strconv"
)

// Resources limit the box; nil is no limit.
type Resources struct {
	MemoryBytes            *int64    `json:"memoryBytes"`
	CPUMillis              *int64    `json:"cpuMillis"`
	Pids                   *int64    `json:"pids"`
	MemoryReservationBytes *int64    `json:"memoryReservationBytes"`
	CPUWeight              *int64    `json:"cpuWeight"`
	Ulimits                *[]Ulimit `json:"ulimits"`
}

// Ulimit is a limit of every process of the box; -1 is unlimited.
type Ulimit struct {
	Name string `json:"name"`
	Soft int64  `json:"soft"`
	Hard int64  `json:"hard"`
}

// rlimits are Docker's names of the resources of setrlimit, in the order of their numbers on x86.
var rlimits = []string{
	"cpu", "fsize", "data", "stack", "core", "rss", "nproc", "nofile", "memlock", "as", "locks", "sigpending", "msgqueue", "nice",
	"rtprio", "rttime",
}

// maxWeight is the largest weight of a control group.
const maxWeight = 10_000

// CheckResources checks limits that came by themselves, or in a document whose field has this
// prefix.
func CheckResources(resources *Resources, prefix string) error {
	c := &checks{}
	c.resources(resources, prefix)
	return c.err
}

func (c *checks) resources(r *Resources, prefix string) {
	for _, limit := range []struct {
		field string
		value *int64
	}{
		{"memoryBytes", r.MemoryBytes}, {"cpuMillis", r.CPUMillis}, {"pids", r.Pids}, {"memoryReservationBytes", r.MemoryReservationBytes},
	} {
		c.that(limit.value == nil || *limit.value >= 1, prefix+limit.field, "must be at least 1")
	}
	if r.CPUWeight != nil {
		c.between(*r.CPUWeight, 1, maxWeight, prefix+"cpuWeight")
	}
	if r.Ulimits != nil {
		c.ulimits(*r.Ulimits, prefix+"ulimits")
	}
}

func (c *checks) ulimits(ulimits []Ulimit, field string) {
	var seen []string
	for index, limit := range ulimits {
		own := field + "[" + strconv.Itoa(index) + "]"
		c.that(slices.Contains(rlimits, limit.Name), own+".name", "is not a limit")
		c.that(!slices.Contains(seen, limit.Name), own+".name", "is there twice")
		c.that(limit.Soft >= -1, own+".soft", "must be at least -1")
		c.that(limit.Hard >= -1, own+".hard", "must be at least -1")
		c.that(LimitValue(limit.Soft) <= LimitValue(limit.Hard), own+".soft", "must not be above the hard limit")
		if c.err != nil {
			return
		}
		seen = append(seen, limit.Name)
	}
}

// Unlimited is the kernel's value for a resource without a limit.
const Unlimited = ^uint64(0)

// LimitValue translates a limit of a spec, where -1 is unlimited, into the kernel's value.
func LimitValue(limit int64) uint64 {
	if limit < 0 {
		return Unlimited
	}
	return uint64(limit)
}

// ResourceNumber returns the number that setrlimit has for a limit's name; the name was checked.
func ResourceNumber(name string) int { return slices.Index(rlimits, name) }
