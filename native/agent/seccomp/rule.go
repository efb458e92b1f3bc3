// Package seccomp compiles Docker's default system call profile, and those that boxes bring, into
// filters for x86_64 and arm64 kernels.
//
// Its code is the same on both. The numbers, the names of the architectures and the calls that one
// of them alone has are in files of their own.
package seccomp

import (
	"strconv"
	"strings"
	"sync"
	"syscall"

	"a3s.dev/box/agent/capability"
)

// rule decides about a system call.
type rule int

// The zero rule is the profile's default.
const (
	deny rule = iota
	allow
	// absent returns ENOSYS, as a kernel without the call does, so that libraries fall back from
	// clone3 to clone.
	absent
	cloneWithoutNamespaces
	listedPersonality
	listedFamily
)

const (
	denyErrno   = syscall.EPERM
	absentErrno = syscall.ENOSYS
)

// Number columns of the table, which syscalls_amd64.txt and syscalls_arm64.txt have alike: the
// kernel's own architecture, that of 32-bit programs (i386 or arm), and x32, which arm64 lacks.
const (
	native = iota
	compat
	x32
	abiCount
)

var numbers = sync.OnceValue(func() map[string][abiCount]int {
	table := map[string][abiCount]int{}
	for line := range strings.Lines(syscallTable) {
		fields := strings.Fields(line)
		if len(fields) != 1+abiCount || fields[0] == "#" {
			continue
		}
		var row [abiCount]int
		for abi := range row {
			row[abi] = -1
			if n, err := strconv.Atoi(fields[1+abi]); err == nil {
				row[abi] = n
			}
		}
		table[fields[0]] = row
	}
	return table
})

// rules is the profile of a process with some capabilities in its bounding set.
func rules(capabilities uint64) map[string]rule {
	profile := map[string]rule{
		"clone":       cloneWithoutNamespaces,
		"clone3":      absent,
		"personality": listedPersonality,
		"socket":      listedFamily,
	}
	for name := range strings.FieldsSeq(allowed) {
		profile[name] = allow
	}
	for name, calls := range byCapability {
		number, known := capability.Number(name)
		if !known || capabilities&(1<<number) == 0 {
			continue
		}
		for call := range strings.FieldsSeq(calls) {
			profile[call] = allow
		}
	}
	return profile
}
