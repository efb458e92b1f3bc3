// Package devicefilter makes the program by which the kernel decides what devices the processes of
// a control group may open and make. Control groups of version 2 have no list of devices.
package devicefilter

import (
	"a3s.dev/box/agent/box/spec"
	"a3s.dev/box/agent/ebpf"
)

// Device types and accesses as the kernel counts them, linux/bpf.h.
const (
	typeBlock = 1
	typeChar  = 2

	accessMake  = 1
	accessRead  = 2
	accessWrite = 4
	accessAll   = accessMake | accessRead | accessWrite
)

// rule permits something; a number of any permits all.
type rule struct {
	kind         uint16
	major, minor int64
	access       uint16
}

const anyOf = -1

// usual are the devices of every container of Docker's. A node may be made of any device: it opens
// nothing without a rule.
var usual = []rule{
	{typeChar, anyOf, anyOf, accessMake}, {typeBlock, anyOf, anyOf, accessMake},
	{typeChar, 1, 3, accessAll}, {typeChar, 1, 5, accessAll}, {typeChar, 1, 7, accessAll}, {typeChar, 1, 8, accessAll}, {typeChar, 1, 9, accessAll},
	{typeChar, 5, 0, accessAll}, {typeChar, 5, 1, accessAll}, {typeChar, 5, 2, accessAll}, {typeChar, 136, anyOf, accessAll},
}

// Node is a device that the box was given by its path.
type Node struct {
	Block        bool
	Major, Minor int64
}

// Program permits what every container may, some nodes, and what the rules say. It is nil where a
// rule permits everything.
func Program(given []Node, asked []spec.DeviceRule) []byte {
	rules := usual[:len(usual):len(usual)]
	for _, node := range given {
		kind := uint16(typeChar)
		if node.Block {
			kind = typeBlock
		}
		rules = append(rules, rule{kind, node.Major, node.Minor, accessAll})
	}
	for _, each := range asked {
		// As for runc, whatever the numbers are.
		if each.Kind == spec.DeviceAll {
			return nil
		}
		rules = append(rules, ruleOf(each))
	}
	return assemble(rules)
}

func ruleOf(asked spec.DeviceRule) rule {
	made := rule{typeChar, anyOf, anyOf, 0}
	if asked.Kind == spec.DeviceBlock {
		made.kind = typeBlock
	}
	if asked.Major != nil {
		made.major = *asked.Major
	}
	if asked.Minor != nil {
		made.minor = *asked.Minor
	}
	for _, letter := range asked.Access {
		made.access |= map[rune]uint16{'m': accessMake, 'r': accessRead, 'w': accessWrite}[letter]
	}
	return made
}

// Registers. result is what the program returns, context has what it is asked about.
const (
	result = iota
	context
	kind
	access
	major
	minor
	scratch
)

// assemble makes a program that returns 1 where a rule permits all that is asked for.
func assemble(rules []rule) []byte {
	var program []byte
	program = ebpf.Append(program, ebpf.LoadWord, kind, context, 0, 0)
	program = ebpf.Append(program, ebpf.MoveOther, access, kind, 0, 0)
	program = ebpf.Append(program, ebpf.AndNumber, kind, 0, 0, 0xffff)
	program = ebpf.Append(program, ebpf.ShiftNumber, access, 0, 0, 16)
	program = ebpf.Append(program, ebpf.LoadWord, major, context, 4, 0)
	program = ebpf.Append(program, ebpf.LoadWord, minor, context, 8, 0)
	for _, r := range rules {
		program = append(program, r.assemble()...)
	}
	program = ebpf.Append(program, ebpf.MoveNumber, result, 0, 0, 0)
	return ebpf.Append(program, ebpf.Exit, 0, 0, 0, 0)
}

// assemble makes the part of one rule. What does not fit goes on behind it.
func (r rule) assemble() []byte {
	// From the last instruction to the first, since jumps lead forward.
	steps := [][]byte{ebpf.Append(nil, ebpf.Exit, 0, 0, 0, 0), ebpf.Append(nil, ebpf.MoveNumber, result, 0, 0, 1)}
	jump := func(operation, register, other byte, number int64) {
		steps = append(steps, ebpf.Append(nil, operation, register, other, int16(len(steps)), int32(number)))
	}
	if r.minor != anyOf {
		jump(ebpf.JumpUnequal, minor, 0, r.minor)
	}
	if r.major != anyOf {
		jump(ebpf.JumpUnequal, major, 0, r.major)
	}
	if r.access != accessAll {
		jump(ebpf.JumpOther, scratch, access, 0)
		steps = append(steps, ebpf.Append(nil, ebpf.AndNumber, scratch, 0, 0, int32(r.access)), ebpf.Append(nil, ebpf.MoveOther, scratch, access, 0, 0))
	}
	jump(ebpf.JumpUnequal, kind, 0, int64(r.kind))
	var program []byte
	for index := len(steps) - 1; index >= 0; index-- {
		program = append(program, steps[index]...)
	}
	return program
}
