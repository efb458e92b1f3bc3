package seccomp

import (
	"testing"

	"a3s.dev/box/agent/capability"
)

func TestDefaultDecides(t *testing.T) {
	plain := docker()
	for name, c := range map[string]struct {
		capabilities uint64
		call         call
		want         uint32
	}{
		"read":                           {plain, call{archNative, 0, 0}, returnAllow},
		"mount":                          {plain, call{archNative, 165, 0}, eperm},
		"mount with CAP_SYS_ADMIN":       {docker("CAP_SYS_ADMIN"), call{archNative, 165, 0}, returnAllow},
		"unshare":                        {plain, call{archNative, 272, 0}, eperm},
		"chroot":                         {plain, call{archNative, 161, 0}, returnAllow},
		"chroot without CAP_SYS_CHROOT":  {0, call{archNative, 161, 0}, eperm},
		"keyctl":                         {docker("CAP_SYS_ADMIN"), call{archNative, 250, 0}, eperm},
		"io_uring_setup":                 {plain, call{archNative, 425, 0}, eperm},
		"clone of a thread":              {plain, call{archNative, 56, 0x3d0f00}, returnAllow},
		"clone with CLONE_NEWUSER":       {plain, call{archNative, 56, 0x10000011}, eperm},
		"clone with CLONE_NEWNET, admin": {docker("CAP_SYS_ADMIN"), call{archNative, 56, 0x40000011}, returnAllow},
		"clone3":                         {plain, call{archNative, 435, 0}, enosys},
		"clone3 with CAP_SYS_ADMIN":      {docker("CAP_SYS_ADMIN"), call{archNative, 435, 0}, returnAllow},
		"socket AF_UNIX":                 {plain, call{archNative, 41, 1}, returnAllow},
		"socket AF_INET6":                {plain, call{archNative, 41, 10}, returnAllow},
		"socket AF_NETLINK":              {plain, call{archNative, 41, 16}, returnAllow},
		"socket AF_VSOCK":                {plain, call{archNative, 41, 40}, eperm},
		"socket AF_VSOCK, all":           {capability.All, call{archNative, 41, 40}, eperm},
		"socket AF_VSOCK, high bits":     {plain, call{archNative, 41, 1<<32 | 40}, eperm},
		"socket AF_ALG":                  {plain, call{archNative, 41, 38}, eperm},
		"personality PER_LINUX":          {plain, call{archNative, 135, 0}, returnAllow},
		"personality query":              {plain, call{archNative, 135, 0xffffffff}, returnAllow},
		"personality NO_RANDOMIZE":       {plain, call{archNative, 135, 0x40000}, eperm},
		"an unknown number":              {plain, call{archNative, 5000, 0}, eperm},
		"the largest number":             {plain, call{archNative, 0xffffffff, 0}, eperm},
		"x32 read":                       {plain, call{archNative, x32Bit, 0}, returnAllow},
		"x32 mount":                      {plain, call{archNative, x32Bit | 165, 0}, eperm},
		"x32 socket AF_VSOCK":            {plain, call{archNative, x32Bit | 41, 40}, eperm},
		"x32 execve":                     {plain, call{archNative, x32Bit | 520, 0}, returnAllow},
		"i386 read":                      {plain, call{archCompat, 3, 0}, returnAllow},
		"i386 mount":                     {plain, call{archCompat, 21, 0}, eperm},
		"i386 clone with CLONE_NEWNS":    {plain, call{archCompat, 120, 0x20000}, eperm},
		"i386 clone3":                    {plain, call{archCompat, 435, 0}, enosys},
		"i386 socket AF_VSOCK":           {plain, call{archCompat, 359, 40}, eperm},
		"i386 socket AF_INET":            {plain, call{archCompat, 359, 2}, returnAllow},
		"i386 clock_gettime64":           {plain, call{archCompat, 403, 0}, returnAllow},
		"another architecture":           {plain, call{0xc00000b7, 0, 0}, returnKillProcess},
	} {
		t.Run(name, func(t *testing.T) {
			if got := interpret(t, Default(c.capabilities), c.call); got != c.want {
				t.Errorf("got %#x, want %#x", got, c.want)
			}
		})
	}
}
