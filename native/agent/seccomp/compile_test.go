package seccomp

import (
	"encoding/binary"
	"testing"

	"a3s.dev/box/agent/capability"
	"a3s.dev/box/agent/linux"
)

// call is a system call as a filter sees it, struct seccomp_data.
type call struct {
	arch, number uint32
	argument     uint64
}

// interpret runs a filter as the kernel does, and insists that no jump leaves the program.
func interpret(t *testing.T, program []linux.Instruction, c call) uint32 {
	t.Helper()
	data := make([]byte, 64)
	binary.LittleEndian.PutUint32(data, c.number)
	binary.LittleEndian.PutUint32(data[4:], c.arch)
	binary.LittleEndian.PutUint64(data[16:], c.argument)
	return run(t, program, data)
}

// run runs a filter over a struct seccomp_data.
func run(t *testing.T, program []linux.Instruction, data []byte) uint32 {
	t.Helper()
	var a uint32
	for pc := 0; pc < len(program); {
		in := program[pc]
		pc++
		jump := func(taken bool) {
			if taken {
				pc += int(in.Jt)
			} else {
				pc += int(in.Jf)
			}
		}
		switch in.Code {
		case opLoad:
			a = binary.LittleEndian.Uint32(data[in.K:])
		case opAnd:
			a &= in.K
		case opJump:
			pc += int(in.K)
		case opJumpEqual:
			jump(a == in.K)
		case opJumpAtLeast:
			jump(a >= in.K)
		case opJumpAbove:
			jump(a > in.K)
		case opReturn:
			return in.K
		default:
			t.Fatalf("unknown instruction %#x", in.Code)
		}
	}
	t.Fatal("the program ends without an answer")
	return 0
}

// docker is the default set of capabilities.
func docker(extra ...string) uint64 {
	set := uint64(0)
	for _, name := range append(extra, "CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_FSETID", "CAP_FOWNER", "CAP_MKNOD", "CAP_NET_RAW",
		"CAP_SETGID", "CAP_SETUID", "CAP_SETFCAP", "CAP_SETPCAP", "CAP_NET_BIND_SERVICE", "CAP_SYS_CHROOT", "CAP_KILL", "CAP_AUDIT_WRITE") {
		number, _ := capability.Number(name)
		set |= 1 << number
	}
	return set
}

const (
	eperm  = returnErrno | 1
	enosys = returnErrno | 38
)

// The filter is a search tree: every number of the table must come out by its own rule.
func TestDefaultAgreesWithTheTable(t *testing.T) {
	for _, capabilities := range []uint64{0, docker(), docker("CAP_SYS_ADMIN"), capability.All} {
		program := Default(capabilities)
		profile := rules(capabilities)
		for name, row := range numbers() {
			for abi, number := range row {
				if number < 0 {
					continue
				}
				c := call{archNative, address(abi, number), 0}
				if abi == compat {
					c.arch = archCompat
				}
				want := uint32(eperm)
				switch profile[name] {
				case allow, cloneWithoutNamespaces, listedPersonality:
					want = returnAllow
				case absent:
					want = enosys
				}
				if got := interpret(t, program, c); got != want {
					t.Errorf("%s of ABI %d: got %#x, want %#x", name, abi, got, want)
				}
			}
		}
	}
}

func TestDefaultFitsTheKernel(t *testing.T) {
	const limit = 4096
	if length := len(Default(capability.All)); length > limit {
		t.Errorf("%d instructions, the kernel takes %d", length, limit)
	}
}

func TestEveryNameIsInTheTable(t *testing.T) {
	for name := range rules(capability.All) {
		if _, known := numbers()[name]; !known {
			t.Errorf("the table lacks %s", name)
		}
	}
}

func BenchmarkDefault(b *testing.B) {
	for range b.N {
		Default(docker())
	}
}
