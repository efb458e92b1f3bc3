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

func TestDefaultDecides(t *testing.T) {
	plain := docker()
	for name, c := range map[string]struct {
		capabilities uint64
		call         call
		want         uint32
	}{
		"read":                           {plain, call{archX8664, 0, 0}, returnAllow},
		"mount":                          {plain, call{archX8664, 165, 0}, eperm},
		"mount with CAP_SYS_ADMIN":       {docker("CAP_SYS_ADMIN"), call{archX8664, 165, 0}, returnAllow},
		"unshare":                        {plain, call{archX8664, 272, 0}, eperm},
		"chroot":                         {plain, call{archX8664, 161, 0}, returnAllow},
		"chroot without CAP_SYS_CHROOT":  {0, call{archX8664, 161, 0}, eperm},
		"keyctl":                         {docker("CAP_SYS_ADMIN"), call{archX8664, 250, 0}, eperm},
		"io_uring_setup":                 {plain, call{archX8664, 425, 0}, eperm},
		"clone of a thread":              {plain, call{archX8664, 56, 0x3d0f00}, returnAllow},
		"clone with CLONE_NEWUSER":       {plain, call{archX8664, 56, 0x10000011}, eperm},
		"clone with CLONE_NEWNET, admin": {docker("CAP_SYS_ADMIN"), call{archX8664, 56, 0x40000011}, returnAllow},
		"clone3":                         {plain, call{archX8664, 435, 0}, enosys},
		"clone3 with CAP_SYS_ADMIN":      {docker("CAP_SYS_ADMIN"), call{archX8664, 435, 0}, returnAllow},
		"socket AF_UNIX":                 {plain, call{archX8664, 41, 1}, returnAllow},
		"socket AF_INET6":                {plain, call{archX8664, 41, 10}, returnAllow},
		"socket AF_NETLINK":              {plain, call{archX8664, 41, 16}, returnAllow},
		"socket AF_VSOCK":                {plain, call{archX8664, 41, 40}, eperm},
		"socket AF_VSOCK, all":           {capability.All, call{archX8664, 41, 40}, eperm},
		"socket AF_VSOCK, high bits":     {plain, call{archX8664, 41, 1<<32 | 40}, eperm},
		"socket AF_ALG":                  {plain, call{archX8664, 41, 38}, eperm},
		"personality PER_LINUX":          {plain, call{archX8664, 135, 0}, returnAllow},
		"personality query":              {plain, call{archX8664, 135, 0xffffffff}, returnAllow},
		"personality NO_RANDOMIZE":       {plain, call{archX8664, 135, 0x40000}, eperm},
		"an unknown number":              {plain, call{archX8664, 5000, 0}, eperm},
		"the largest number":             {plain, call{archX8664, 0xffffffff, 0}, eperm},
		"x32 read":                       {plain, call{archX8664, x32Bit, 0}, returnAllow},
		"x32 mount":                      {plain, call{archX8664, x32Bit | 165, 0}, eperm},
		"x32 socket AF_VSOCK":            {plain, call{archX8664, x32Bit | 41, 40}, eperm},
		"x32 execve":                     {plain, call{archX8664, x32Bit | 520, 0}, returnAllow},
		"i386 read":                      {plain, call{archI386, 3, 0}, returnAllow},
		"i386 mount":                     {plain, call{archI386, 21, 0}, eperm},
		"i386 clone with CLONE_NEWNS":    {plain, call{archI386, 120, 0x20000}, eperm},
		"i386 clone3":                    {plain, call{archI386, 435, 0}, enosys},
		"i386 socket AF_VSOCK":           {plain, call{archI386, 359, 40}, eperm},
		"i386 socket AF_INET":            {plain, call{archI386, 359, 2}, returnAllow},
		"i386 clock_gettime64":           {plain, call{archI386, 403, 0}, returnAllow},
		"another architecture":           {plain, call{0xc00000b7, 0, 0}, returnKillProcess},
	} {
		t.Run(name, func(t *testing.T) {
			if got := interpret(t, Default(c.capabilities), c.call); got != c.want {
				t.Errorf("got %#x, want %#x", got, c.want)
			}
		})
	}
}

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
				c := call{archX8664, address(abi, number), 0}
				if abi == i386 {
					c.arch = archI386
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
