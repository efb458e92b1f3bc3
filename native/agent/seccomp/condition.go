package seccomp

import (
	"strconv"

	"a3s.dev/box/agent/linux"
)

// Operations of classic BPF that conditions use besides those of the search.
const opJumpAbove = 0x25

// arguments is the number that a system call has at most.
const arguments = 6

// Where a jump of a condition leads, until its place is known.
const (
	next = iota
	pass
	fail
)

// step is an instruction whose jumps are not resolved.
type step struct {
	code       uint16
	k          uint32
	yes, no    int
	comparison bool
}

// checkConditions allows one for each argument: the jumps over more of them would not fit into an
// instruction.
func checkConditions(conditions []Condition) error {
	if len(conditions) > arguments {
		return errCondition
	}
	for _, c := range conditions {
		_, err := strconv.ParseUint(c.Value, 10, 64)
		_, errTwo := strconv.ParseUint(c.ValueTwo, 10, 64)
		if c.Index < 0 || c.Index >= arguments || err != nil || errTwo != nil || c.steps() == nil {
			return errCondition
		}
	}
	return nil
}

// steps compares 64 bits by two halves, the high one first. It returns nil for an unknown
// operation.
func (c Condition) steps() []step {
	value, _ := strconv.ParseUint(c.Value, 10, 64)
	two, _ := strconv.ParseUint(c.ValueTwo, 10, 64)
	low := uint32(offsetArgument + 8*c.Index)
	load := func(offset uint32) step { return step{code: opLoad, k: offset} }
	compare := func(code uint16, k uint32, yes, no int) step { return step{code, k, yes, no, true} }
	high, rest := uint32(value>>32), uint32(value)
	switch c.Op {
	case "eq":
		return []step{load(low + 4), compare(opJumpEqual, high, next, fail), load(low), compare(opJumpEqual, rest, next, fail)}
	case "ne":
		return []step{load(low + 4), compare(opJumpEqual, high, next, pass), load(low), compare(opJumpEqual, rest, fail, next)}
	case "masked-eq":
		wanted := two & value
		return []step{
			load(low + 4), {code: opAnd, k: high}, compare(opJumpEqual, uint32(wanted>>32), next, fail),
			load(low), {code: opAnd, k: rest}, compare(opJumpEqual, uint32(wanted), next, fail),
		}
	case "gt", "ge":
		last := compare(opJumpAbove, rest, next, fail)
		if c.Op == "ge" {
			last.code = opJumpAtLeast
		}
		return []step{load(low + 4), compare(opJumpAbove, high, pass, next), compare(opJumpEqual, high, next, fail), load(low), last}
	case "lt", "le":
		last := compare(opJumpAtLeast, rest, fail, next)
		if c.Op == "le" {
			last.code = opJumpAbove
		}
		return []step{load(low + 4), compare(opJumpAbove, high, fail, next), compare(opJumpEqual, high, next, pass), load(low), last}
	default:
		return nil
	}
}

// body returns the action of the alternative whose conditions hold, and jumps past itself where
// they do not. Its jumps are short, since a call has few arguments.
func (a alternative) body() []linux.Instruction {
	var steps []step
	// ends is the index after the condition that each step belongs to.
	var ends []int
	for _, condition := range a.conditions {
		own := condition.steps()
		steps = append(steps, own...)
		for range own {
			ends = append(ends, len(steps))
		}
	}
	program := make([]linux.Instruction, 0, len(steps)+1)
	for at, s := range steps {
		target := func(to int) uint8 {
			switch to {
			case pass:
				return uint8(ends[at] - at - 1)
			case fail:
				// Past the answer.
				return uint8(len(steps) - at)
			default:
				return 0
			}
		}
		in := linux.Instruction{Code: s.code, K: s.k}
		if s.comparison {
			in.Jt, in.Jf = target(s.yes), target(s.no)
		}
		program = append(program, in)
	}
	return append(program, linux.Instruction{Code: opReturn, K: a.action})
}

// body is the code of a call with this outcome.
func (o *outcome) body() (program []linux.Instruction) {
	for _, alternative := range o.alternatives {
		program = append(program, alternative.body()...)
	}
	return append(program, linux.Instruction{Code: opReturn, K: o.last})
}
