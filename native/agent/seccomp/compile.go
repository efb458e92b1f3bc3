package seccomp

import (
	"maps"
	"slices"
	"syscall"

	"a3s.dev/box/agent/linux"
)

// Operations of classic BPF that the filter uses; linux/filter.h. Comparisons with constants of the
// call's number are all that a plain call meets, so the kernel can cache the answer.
const (
	opLoad         = 0x20
	opAnd          = 0x54
	opJump         = 0x05
	opJumpEqual    = 0x15
	opJumpAtLeast  = 0x35
	opReturn       = 0x06
	maxConditional = 255
)

// Offsets in struct seccomp_data; arguments are 64 bits wide, the low half first.
const (
	offsetNumber   = 0
	offsetArch     = 4
	offsetArgument = 16
)

// Architectures as the kernel reports them, linux/audit.h.
const (
	auditX8664, auditI386 = 0xc000003e, 0x40000003
	auditARM64, auditARM  = 0xc00000b7, 0x40000028
)

// x32Bit marks a system call of the x32 ABI, which shares its architecture with x86_64.
const x32Bit = 0x40000000

// Actions of a filter.
const (
	returnAllow       = 0x7fff0000
	returnErrno       = 0x00050000
	returnKillProcess = 0x80000000
)

// span begins at a number and reaches to the next span. Spans of one key have the same code.
type span[Key comparable] struct {
	from uint32
	key  Key
}

// Default compiles Docker's default profile for a process with some capabilities in its bounding
// set.
func Default(capabilities uint64) []linux.Instruction {
	profile := rules(capabilities)
	amd := tree(spans(profile, native, x32), body)
	intel := tree(spans(profile, compat), body)
	return byArchitecture(amd, intel)
}

// byArchitecture joins the programs of both architectures. A call of any other ends its process.
func byArchitecture(amd, intel []linux.Instruction) []linux.Instruction {
	var program []linux.Instruction
	program = append(program,
		linux.Instruction{Code: opLoad, K: offsetArch},
		linux.Instruction{Code: opJumpEqual, K: archNative, Jf: 1},
		linux.Instruction{Code: opJump, K: 3},
		linux.Instruction{Code: opJumpEqual, K: archCompat, Jf: 1},
		linux.Instruction{Code: opJump, K: uint32(2 + len(amd))},
		linux.Instruction{Code: opReturn, K: returnKillProcess},
		linux.Instruction{Code: opLoad, K: offsetNumber},
	)
	program = append(program, amd...)
	program = append(program, linux.Instruction{Code: opLoad, K: offsetNumber})
	return append(program, intel...)
}

// spans divides all numbers of some ABIs into stretches of one rule.
func spans(profile map[string]rule, abis ...int) []span[rule] {
	byNumber := map[uint32]rule{}
	for name, rule := range profile {
		row, known := numbers()[name]
		if !known {
			panic("seccomp: the table lacks " + name)
		}
		for _, abi := range abis {
			if row[abi] >= 0 {
				byNumber[address(abi, row[abi])] = rule
			}
		}
	}
	return stretches(byNumber, func(uint32) rule { return deny })
}

// stretches joins neighbours of one key. gap returns the key of numbers that are not in the map. It
// changes only after a number of the map, and at the first number of x32.
func stretches[Key comparable](byNumber map[uint32]Key, gap func(number uint32) Key) []span[Key] {
	starts := map[uint32]Key{}
	for number, key := range byNumber {
		starts[number] = key
	}
	for _, number := range append(slices.Collect(maps.Keys(byNumber)), ^uint32(0), x32Bit-1) {
		if _, found := byNumber[number+1]; !found {
			starts[number+1] = gap(number + 1)
		}
	}
	var result []span[Key]
	for _, number := range slices.Sorted(maps.Keys(starts)) {
		if last := len(result) - 1; last < 0 || result[last].key != starts[number] {
			result = append(result, span[Key]{number, starts[number]})
		}
	}
	return result
}

func address(abi, number int) uint32 {
	if abi == x32 {
		return uint32(number) | x32Bit
	}
	return uint32(number)
}

// tree finds the span of the loaded number by bisection.
func tree[Key comparable](spans []span[Key], body func(Key) []linux.Instruction) []linux.Instruction {
	if len(spans) == 1 {
		return body(spans[0].key)
	}
	middle := len(spans) / 2
	low, high := tree(spans[:middle], body), tree(spans[middle:], body)
	// Conditional jumps reach 255 instructions, the unconditional one any number.
	test := []linux.Instruction{{Code: opJumpAtLeast, K: spans[middle].from, Jt: uint8(min(len(low), maxConditional))}}
	if len(low) > maxConditional {
		test[0].Jt, test[0].Jf = 0, 1
		test = append(test, linux.Instruction{Code: opJump, K: uint32(len(low))})
	}
	return slices.Concat(test, low, high)
}

func body(rule rule) []linux.Instruction {
	switch rule {
	case allow:
		return []linux.Instruction{{Code: opReturn, K: returnAllow}}
	case absent:
		return []linux.Instruction{errno(absentErrno)}
	case cloneWithoutNamespaces:
		return []linux.Instruction{
			{Code: opLoad, K: offsetArgument},
			{Code: opAnd, K: newNamespaces},
			{Code: opJumpEqual, K: 0, Jf: 1},
			{Code: opReturn, K: returnAllow},
			errno(denyErrno),
		}
	case listedPersonality:
		return oneOf(personalities)
	case listedFamily:
		return oneOf(families)
	default:
		return []linux.Instruction{errno(denyErrno)}
	}
}

// oneOf allows a call whose first argument is one of a few values. The kernel reads both arguments
// as 32 bits wide.
func oneOf(values []uint32) []linux.Instruction {
	program := []linux.Instruction{{Code: opLoad, K: offsetArgument}}
	for index, value := range values {
		program = append(program, linux.Instruction{Code: opJumpEqual, K: value, Jt: uint8(len(values) - index)})
	}
	return append(program, errno(denyErrno), linux.Instruction{Code: opReturn, K: returnAllow})
}

func errno(number syscall.Errno) linux.Instruction {
	return linux.Instruction{Code: opReturn, K: returnErrno | uint32(number)}
}
