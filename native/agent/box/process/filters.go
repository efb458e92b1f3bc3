package process

import (
	"sync"

	"a3s.dev/box/agent/capability"
	"a3s.dev/box/agent/linux"
	"a3s.dev/box/agent/seccomp"
)

// Filters keeps the default seccomp profile for the capabilities that it was last compiled for.
type Filters struct {
	mu           sync.Mutex
	Capabilities uint64
	Program      []linux.Instruction
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

// CapabilitySet returns a set with a bit for each capability. The names were checked.
func CapabilitySet(names []string) uint64 {
	var set uint64
	for _, name := range names {
		number, _ := capability.Number(name)
		set |= 1 << number
	}
	return set
}
