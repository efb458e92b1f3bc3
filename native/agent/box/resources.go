package box

import (
	"slices"
	"strconv"

	"a3s.dev/box/agent/stage"
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

// CheckResources checks limits that came by themselves, or in a document whose field has this prefix.
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
		c.that(valueOf(limit.Soft) <= valueOf(limit.Hard), own+".soft", "must not be above the hard limit")
		if c.err != nil {
			return
		}
		seen = append(seen, limit.Name)
	}
}

// valueOf is a limit as the kernel counts.
func valueOf(limit int64) uint64 {
	if limit < 0 {
		return unlimited
	}
	return uint64(limit)
}

// limitsWith are the limits of a process: those that were asked for, and the usual ones of all other resources.
func limitsWith(usual []stage.Limit, asked *[]Ulimit) []stage.Limit {
	if asked == nil {
		return usual
	}
	limits := slices.Clone(usual)
	for _, limit := range *asked {
		given := stage.Limit{Resource: slices.Index(rlimits, limit.Name), Soft: valueOf(limit.Soft), Hard: valueOf(limit.Hard)}
		index := slices.IndexFunc(limits, func(other stage.Limit) bool { return other.Resource == given.Resource })
		if index < 0 {
			limits = append(limits, given)
		} else {
			limits[index] = given
		}
	}
	return limits
}

// MemoryError is more memory than the guest can give the box.
type MemoryError struct{ Asked, Most int64 }

func (e *MemoryError) Error() string {
	return "the box cannot have " + strconv.FormatInt(e.Asked, 10) + " bytes of memory: its machine was started with enough for " +
		strconv.FormatInt(e.Most, 10)
}

// PutResources holds the box to other limits: all of them, and none but these. Limits of single processes are for those to come. It is
// called by one goroutine at a time.
func (b *Box) PutResources(resources *Resources) error {
	if err := CheckResources(resources, ""); err != nil {
		return err
	}
	started, err := b.present()
	if err != nil {
		return err
	}
	if asked := resources.MemoryBytes; asked != nil {
		most, err := memoryLimit(nil)
		if err != nil {
			return err
		}
		// What it was started with it may have again, though the guest's own share is part of it.
		if started != nil {
			most = max(most, *started)
		}
		if *asked > most {
			return &MemoryError{*asked, most}
		}
	}
	if _, err := b.launcher.cgroup.limit(resources); err != nil {
		return err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.ulimits = resources.Ulimits
	return nil
}

// present answers the memory that the box was started with.
func (b *Box) present() (memory *int64, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case b.stopping:
		return nil, ErrStopping
	case b.asleep:
		return nil, ErrAsleep
	case !b.ready:
		return nil, ErrSpecMissing
	}
	return b.spec.Resources.MemoryBytes, nil
}
