package box

import (
	"sync"

	"a3s.dev/box/agent/capability"
	"a3s.dev/box/agent/linux"
	"a3s.dev/box/agent/seccomp"
)

// filters keeps the default profile for the capabilities that it was compiled for last.
type filters struct {
	mu           sync.Mutex
	capabilities uint64
	program      []linux.Instruction
}

func (f *filters) of(capabilities uint64) []linux.Instruction {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.program == nil || f.capabilities != capabilities {
		f.capabilities, f.program = capabilities, seccomp.Default(capabilities)
	}
	return f.program
}

// capabilitySet has a bit for each; their names were checked.
func capabilitySet(names []string) uint64 {
	var set uint64
	for _, name := range names {
		number, _ := capability.Number(name)
		set |= 1 << number
	}
	return set
}
