package seccomp

import (
	"errors"
	"math"
	"strconv"

	"a3s.dev/box/agent/linux"
)

// Profile is a system call profile, as a box spec has it. The native architecture, x86_64 or
// arm64, is always in it.
type Profile struct {
	Default Action `json:"default"`
	// X86 and X32 say whether the profile holds for programs of these architectures, X86 on arm64
	// for 32-bit ones of arm. A call of any other ends its process.
	X86 bool `json:"x86"`
	X32 bool `json:"x32"`
	// Log has the kernel log calls that are not allowed; SpecAllow omits a mitigation of
	// speculative execution.
	Log       bool   `json:"log"`
	SpecAllow bool   `json:"specAllow"`
	Rules     []Rule `json:"rules"`
}

// Action decides about a system call. Value is the error number of errno, or the value that a
// tracer reads for trace.
type Action struct {
	Kind  string `json:"kind"`
	Value int64  `json:"value"`
}

// Rule gives some calls an action, where all conditions hold. Names that this kernel does not have
// are left out, as in runc.
type Rule struct {
	Names      []string    `json:"names"`
	Action     Action      `json:"action"`
	Conditions []Condition `json:"conditions"`
}

// Condition compares an argument. Values are decimal, since they may be larger than a number of
// JSON.
type Condition struct {
	Index    int64  `json:"index"`
	Op       string `json:"op"`
	Value    string `json:"value"`
	ValueTwo string `json:"valueTwo"`
}

// Flags of the kernel's seccomp, linux/seccomp.h.
const (
	flagLog       = 1 << 1
	flagSpecAllow = 1 << 2
)

// Flags are the flags that the filter is installed with.
func (p *Profile) Flags() (flags uint32) {
	if p.Log {
		flags |= flagLog
	}
	if p.SpecAllow {
		flags |= flagSpecAllow
	}
	return flags
}

// maxInstructions is the kernel's BPF_MAXINSNS.
const maxInstructions = 4096

// Errors of profiles.
var (
	errTooLong   = errors.New("takes more than " + strconv.Itoa(maxInstructions) + " instructions, the kernel's limit")
	errAction    = errors.New("holds what is not an action")
	errCondition = errors.New("holds a condition that is not one")
)

// actions are the values of a filter, except those with a number in their low half.
var actions = map[string]uint32{
	"allow": returnAllow, "log": 0x7ffc0000, "errno": returnErrno, "trace": 0x7ff00000, "trap": 0x00030000, "kill-thread": 0,
	"kill-process": returnKillProcess,
}

func (a Action) code() (uint32, error) {
	base, known := actions[a.Kind]
	if !known || a.Value < 0 || a.Value > math.MaxUint16 || a.Value != 0 && a.Kind != "errno" && a.Kind != "trace" {
		return 0, errAction
	}
	return base | uint32(a.Value), nil
}

// permissive says whether the profile lets calls pass that it does not name.
func (a Action) permissive() bool { return a.Kind == "allow" || a.Kind == "log" || a.Kind == "trace" }

// outcome decides about a call: the action of the first alternative whose conditions hold, or the
// last action.
type outcome struct {
	alternatives []alternative
	last         uint32
}

type alternative struct {
	conditions []Condition
	action     uint32
}

// Compile makes a filter of a profile, as libseccomp and runc do: a rule without conditions goes
// before all others of its call, and calls that are newer than every call of the profile answer
// ENOSYS, so that libraries fall back, unless the profile lets unknown calls pass.
func Compile(p *Profile) ([]linux.Instruction, error) {
	otherwise, err := p.Default.code()
	if err != nil {
		return nil, err
	}
	outcomes, err := p.outcomes(otherwise)
	if err != nil {
		return nil, err
	}
	newer := otherwise
	if enosys := uint32(returnErrno | uint32(absentErrno)); !p.Default.permissive() {
		newer = enosys
	}
	c := &compiler{outcomes, otherwise, newer}
	intel := []linux.Instruction{{Code: opReturn, K: returnKillProcess}}
	if p.X86 {
		intel = c.program(compat)
	}
	amd := c.program(native)
	if p.X32 {
		amd = c.program(native, x32)
	}
	program := byArchitecture(amd, intel)
	if len(program) > maxInstructions {
		return nil, errTooLong
	}
	return program, nil
}

// outcomes has one for each call that the profile names and the kernel has.
func (p *Profile) outcomes(otherwise uint32) (map[string]*outcome, error) {
	outcomes := map[string]*outcome{}
	final := map[string]bool{}
	for _, rule := range p.Rules {
		action, err := rule.Action.code()
		if err != nil {
			return nil, err
		}
		if err := checkConditions(rule.Conditions); err != nil {
			return nil, err
		}
		for _, name := range rule.Names {
			if _, known := numbers()[name]; !known || final[name] {
				continue
			}
			found := outcomes[name]
			if found == nil {
				found = &outcome{last: otherwise}
				outcomes[name] = found
			}
			switch {
			case action == otherwise:
				// As in runc, it says nothing new.
			case len(rule.Conditions) == 0:
				found.alternatives, found.last, final[name] = nil, action, true
			default:
				found.alternatives = append(found.alternatives, alternative{rule.Conditions, action})
			}
		}
	}
	return outcomes, nil
}

// compiler makes the programs of the architectures.
type compiler struct {
	outcomes         map[string]*outcome
	otherwise, newer uint32
}

// program finds the outcome of the loaded number, by which some ABIs call.
func (c *compiler) program(abis ...int) []linux.Instruction {
	byNumber := map[uint32]*outcome{}
	// newest are the largest numbers that the profile has.
	var newest [abiCount]int
	for name, found := range c.outcomes {
		for _, abi := range abis {
			if number := numbers()[name][abi]; number >= 0 {
				byNumber[address(abi, number)] = found
				newest[abi] = max(newest[abi], number)
			}
		}
	}
	old, younger, foreign := &outcome{last: c.otherwise}, &outcome{last: c.newer}, &outcome{last: returnKillProcess}
	return tree(stretches(byNumber, func(number uint32) *outcome {
		abi := abis[0]
		if abi == native && number >= x32Bit {
			if len(abis) == 1 {
				return foreign
			}
			abi = x32
		}
		if number > address(abi, newest[abi]) {
			return younger
		}
		return old
	}), (*outcome).body)
}
