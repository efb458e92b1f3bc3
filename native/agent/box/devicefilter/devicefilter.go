// Package devicefilter makes the program by which the kernel decides what devices the processes of
// a control group may open and make. Control groups of version 2 have no list of devices.
package devicefilter

import (
	"encoding/binary"

	"a3s.dev/box/agent/box/spec"
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

// Instructions of the kernel's machine, linux/bpf_common.h and linux/bpf.h.
const (
	loadWord    = 0x61 // dst = *(u32 *)(src + offset)
	andNumber   = 0x57 // dst &= number
	shiftNumber = 0x77 // dst >>= number
	moveNumber  = 0xb7 // dst = number
	moveOther   = 0xbf // dst = src
	jumpUnequal = 0x55 // over offset where dst != number
	jumpOther   = 0x5d // over offset where dst != src
	exit        = 0x95
)

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
	program = instruction(program, loadWord, kind, context, 0, 0)
	program = instruction(program, moveOther, access, kind, 0, 0)
	program = instruction(program, andNumber, kind, 0, 0, 0xffff)
	program = instruction(program, shiftNumber, access, 0, 0, 16)
	program = instruction(program, loadWord, major, context, 4, 0)
	program = instruction(program, loadWord, minor, context, 8, 0)
	for _, r := range rules {
		program = append(program, r.assemble()...)
	}
	program = instruction(program, moveNumber, result, 0, 0, 0)
	return instruction(program, exit, 0, 0, 0, 0)
}

// assemble makes the part of one rule. What does not fit goes on behind it.
func (r rule) assemble() []byte {
	// From the last instruction to the first, since jumps lead forward.
	steps := [][]byte{instruction(nil, exit, 0, 0, 0, 0), instruction(nil, moveNumber, result, 0, 0, 1)}
	jump := func(operation, register, other byte, number int64) {
		steps = append(steps, instruction(nil, operation, register, other, int16(len(steps)), int32(number)))
	}
	if r.minor != anyOf {
		jump(jumpUnequal, minor, 0, r.minor)
	}
	if r.major != anyOf {
		jump(jumpUnequal, major, 0, r.major)
	}
	if r.access != accessAll {
		jump(jumpOther, scratch, access, 0)
		steps = append(steps, instruction(nil, andNumber, scratch, 0, 0, int32(r.access)), instruction(nil, moveOther, scratch, access, 0, 0))
	}
	jump(jumpUnequal, kind, 0, int64(r.kind))
	var program []byte
	for index := len(steps) - 1; index >= 0; index-- {
		program = append(program, steps[index]...)
	}
	return program
}

func instruction(program []byte, operation, destination, source byte, offset int16, number int32) []byte {
	program = append(program, operation, source<<4|destination)
	program = binary.LittleEndian.AppendUint16(program, uint16(offset))
	return binary.LittleEndian.AppendUint32(program, uint32(number))
}
