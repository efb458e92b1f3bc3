package process

import (
	"sync"

	"a3s.dev/box/agent/box/spec"
	"a3s.dev/box/agent/capability"
	"a3s.dev/box/agent/linux"
	"a3s.dev/box/agent/seccomp"
)

// Filters keeps the default seccomp profile for the capabilities that it was last compiled for, and
// that of the box.
type Filters struct {
	mu           sync.Mutex
	Capabilities uint64
	Program      []linux.Instruction
	// own is that of the profile that the box brings.
	own []linux.Instruction
}

// Of returns the default profile for a set of capabilities.
func (f *Filters) Of(capabilities uint64) []linux.Instruction {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.Program == nil || f.Capabilities != capabilities {
		f.Capabilities, f.Program = capabilities, seccomp.Default(capabilities)
	}
	return f.Program
}

// For returns the filter of a confinement, none where it is unconfined, and the flags of the
// filter.
func (f *Filters) For(c *spec.Confinement) ([]linux.Instruction, uint32, error) {
	switch c.Seccomp {
	case spec.SeccompDefault:
		return f.Of(CapabilitySet(c.Capabilities)), 0, nil
	case spec.SeccompProfile:
		f.mu.Lock()
		defer f.mu.Unlock()
		if f.own == nil {
			program, err := seccomp.Compile(c.SeccompProfile)
			if err != nil {
				return nil, 0, err
			}
			f.own = program
		}
		return f.own, c.SeccompProfile.Flags(), nil
	default:
		return nil, 0, nil
	}
}

// CapabilitySet returns a set with a bit for each capability. The names were checked.
func CapabilitySet(names []string) uint64 {
	var set uint64
	for _, name := range names {
		number, _ := capability.Number(name)
		set |= 1 << number
	}
	return set
}
