package seccomp

import (
	"encoding/binary"
	"errors"
	"slices"
	"strconv"
	"strings"
	"testing"

	"a3s.dev/box/agent/linux"
)

func condition(index int64, op string, values ...uint64) Condition {
	texts := [2]string{"0", "0"}
	for at, value := range values {
		texts[at] = strconv.FormatUint(value, 10)
	}
	return Condition{index, op, texts[0], texts[1]}
}

var (
	deniedHere = Action{"errno", 13}
	allowed0   = Action{"allow", 0}
)

func compiled(t *testing.T, p *Profile) []linux.Instruction {
	t.Helper()
	program, err := Compile(p)
	if err != nil {
		t.Fatal(err)
	}
	return program
}

// decide runs a filter over a call with all its arguments.
func decide(t *testing.T, program []linux.Instruction, arch, number uint32, args ...uint64) uint32 {
	t.Helper()
	data := make([]byte, 64)
	binary.LittleEndian.PutUint32(data, number)
	binary.LittleEndian.PutUint32(data[4:], arch)
	for index, argument := range args {
		binary.LittleEndian.PutUint64(data[16+8*index:], argument)
	}
	return run(t, program, data)
}

func TestConditionsCompareWholeArguments(t *testing.T) {
	const big = 1<<40 + 7
	for _, c := range []struct {
		condition Condition
		holds     []uint64
		fails     []uint64
	}{
		{condition(0, "eq", big), []uint64{big}, []uint64{7, 1 << 40, big + 1}},
		{condition(0, "ne", big), []uint64{7, 1 << 40, big + 1}, []uint64{big}},
		{condition(0, "gt", big), []uint64{big + 1, 1 << 41}, []uint64{big, 8, 0}},
		{condition(0, "ge", big), []uint64{big, big + 1, 1 << 41}, []uint64{big - 1, 8}},
		{condition(0, "lt", big), []uint64{big - 1, 8, 0xffffffff}, []uint64{big, 1 << 41}},
		{condition(0, "le", big), []uint64{big, 8}, []uint64{big + 1, 1<<41 + 1}},
		{condition(0, "masked-eq", 0xff00000000f0, 0x0100000000ff), []uint64{0x0100000000f0, 0x01000000fff3}, []uint64{0x0200000000f0, 0x010000000000}},
	} {
		t.Run(c.condition.Op, func(t *testing.T) {
			program := compiled(t, &Profile{Default: allowed0, Rules: []Rule{{[]string{"mkdir"}, deniedHere, []Condition{c.condition}}}})
			for _, argument := range c.holds {
				if got := decide(t, program, archNative, 83, argument); got != returnErrno|13 {
					t.Errorf("%#x: got %#x", argument, got)
				}
			}
			for _, argument := range c.fails {
				if got := decide(t, program, archNative, 83, argument); got != returnAllow {
					t.Errorf("%#x: got %#x", argument, got)
				}
			}
		})
	}
}

func TestAllConditionsOfARuleHaveToHold(t *testing.T) {
	both := []Condition{condition(1, "ne", 5), condition(5, "gt", 1<<33)}
	program := compiled(t, &Profile{Default: allowed0, Rules: []Rule{
		{[]string{"mkdir"}, deniedHere, both}, {[]string{"mkdir"}, Action{"trap", 0}, []Condition{condition(1, "eq", 5)}},
	}})
	for _, c := range []struct {
		second, sixth uint64
		want          uint32
	}{{4, 1 << 34, returnErrno | 13}, {4, 1, returnAllow}, {5, 1 << 34, 0x00030000}} {
		if got := decide(t, program, archNative, 83, 0, c.second, 0, 0, 0, c.sixth); got != c.want {
			t.Errorf("%d, %#x: got %#x, want %#x", c.second, c.sixth, got, c.want)
		}
	}
}

func TestAProfileDecides(t *testing.T) {
	strict := &Profile{Default: Action{"errno", 1}, X86: true, X32: true, Rules: []Rule{
		{[]string{"read", "write", "no_such_call"}, allowed0, nil},
		// The rule without conditions counts, whatever comes before or after it.
		{[]string{"mkdir"}, deniedHere, []Condition{condition(0, "eq", 1)}},
		{[]string{"mkdir"}, allowed0, nil},
		{[]string{"mkdir"}, Action{"kill-process", 0}, nil},
		{[]string{"chmod"}, Action{"kill-thread", 0}, nil},
		{[]string{"pidfd_open"}, Action{"errno", 1}, nil},
	}}
	only := *strict
	only.X86, only.X32 = false, false
	enosys := uint32(returnErrno | 38)
	for name, c := range map[string]struct {
		profile      *Profile
		arch, number uint32
		want         uint32
	}{
		"an allowed call":                         {strict, archNative, 0, returnAllow},
		"a call that is not named":                {strict, archNative, 41, returnErrno | 1},
		"a rule without conditions":               {strict, archNative, 83, returnAllow},
		"a call that ends its thread":             {strict, archNative, 90, 0},
		"a call with the default action":          {strict, archNative, 434, returnErrno | 1},
		"a call newer than the profile":           {strict, archNative, 435, enosys},
		"an allowed call of x86":                  {strict, archCompat, 3, returnAllow},
		"a call of x86 newer than the profile":    {strict, archCompat, 440, enosys},
		"an allowed call of x32":                  {strict, archNative, x32Bit, returnAllow},
		"a call of x32 newer than the profile":    {strict, archNative, x32Bit | 512, enosys},
		"a call of x86 where that is not in it":   {&only, archCompat, 3, returnKillProcess},
		"a call of x32 where that is not in it":   {&only, archNative, x32Bit, returnKillProcess},
		"a number below that x32 begins with":     {&only, archNative, x32Bit - 1, enosys},
		"the largest number":                      {&only, archNative, 0xffffffff, returnKillProcess},
		"a new call where all calls are allowed":  {&Profile{Default: allowed0, Rules: strict.Rules}, archNative, 500, returnAllow},
		"a profile without rules that allows all": {&Profile{Default: allowed0}, archNative, 0, returnAllow},
		"another architecture":                    {strict, 0xc00000b7, 0, returnKillProcess},
	} {
		t.Run(name, func(t *testing.T) {
			if got := decide(t, compiled(t, c.profile), c.arch, c.number); got != c.want {
				t.Errorf("got %#x, want %#x", got, c.want)
			}
		})
	}
}

// A profile that is written out as Docker's default decides every number as the built-in one does,
// below the newest call.
func TestAProfileOfTheDefaultsAgreesWithThem(t *testing.T) {
	profile := &Profile{Default: Action{"errno", 1}, X86: true, X32: true}
	for name, rule := range rules(docker()) {
		switch rule {
		case allow:
			profile.Rules = append(profile.Rules, Rule{[]string{name}, allowed0, nil})
		case absent:
			profile.Rules = append(profile.Rules, Rule{[]string{name}, Action{"errno", 38}, nil})
		case cloneWithoutNamespaces:
			profile.Rules = append(profile.Rules, Rule{[]string{name}, allowed0, []Condition{condition(0, "masked-eq", newNamespaces, 0)}})
		case listedPersonality, listedFamily:
			values := personalities
			if rule == listedFamily {
				values = families
			}
			for _, value := range values {
				profile.Rules = append(profile.Rules, Rule{[]string{name}, allowed0, []Condition{condition(0, "eq", uint64(value))}})
			}
		}
	}
	program, builtin := compiled(t, profile), Default(docker())
	for _, row := range numbers() {
		for abi, number := range row {
			if number < 0 {
				continue
			}
			arch := uint32(archNative)
			if abi == compat {
				arch = archCompat
			}
			for _, argument := range []uint64{0, 1, 40, 0x20008, 0x10000011} {
				got, want := decide(t, program, arch, address(abi, number), argument), decide(t, builtin, arch, address(abi, number), argument)
				if got != want && got != returnErrno|38 {
					t.Fatalf("number %d of ABI %d: got %#x, want %#x", number, abi, got, want)
				}
			}
		}
	}
}

func TestCompileRefuses(t *testing.T) {
	var names []string
	for name := range numbers() {
		names = append(names, name)
	}
	long := &Profile{Default: allowed0, X86: true, X32: true}
	for _, name := range names {
		long.Rules = append(long.Rules, Rule{[]string{name}, deniedHere, []Condition{condition(0, "eq", uint64(len(name)))}})
	}
	for name, c := range map[string]struct {
		profile *Profile
		want    error
	}{
		"an unknown default":             {&Profile{Default: Action{"notify", 0}}, errAction},
		"an allowed call with a number":  {&Profile{Default: Action{"allow", 1}}, errAction},
		"an unknown action":              {&Profile{Default: allowed0, Rules: []Rule{{nil, Action{"x", 0}, nil}}}, errAction},
		"a seventh argument":             {&Profile{Default: allowed0, Rules: []Rule{{nil, deniedHere, []Condition{condition(6, "eq", 1)}}}}, errCondition},
		"more conditions than arguments": {&Profile{Default: allowed0, Rules: []Rule{{nil, deniedHere, slices.Repeat([]Condition{condition(0, "eq", 1)}, 7)}}}, errCondition},
		"an unknown comparison":          {&Profile{Default: allowed0, Rules: []Rule{{nil, deniedHere, []Condition{condition(0, "is", 1)}}}}, errCondition},
		"a value that is no number":      {&Profile{Default: allowed0, Rules: []Rule{{nil, deniedHere, []Condition{{0, "eq", "-1", "0"}}}}}, errCondition},
		"more than the kernel takes":     {long, errTooLong},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := Compile(c.profile); !errors.Is(err, c.want) {
				t.Errorf("got %v, want %v", err, c.want)
			}
		})
	}
}

func TestAProfileHasItsFlags(t *testing.T) {
	if got := (&Profile{Log: true, SpecAllow: true}).Flags(); got != 6 {
		t.Errorf("got %d", got)
	}
	if !strings.Contains(errTooLong.Error(), "4096") {
		t.Error(errTooLong)
	}
}
