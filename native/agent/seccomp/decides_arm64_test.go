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
		"read":                           {plain, call{archNative, 63, 0}, returnAllow},
		"mount":                          {plain, call{archNative, 40, 0}, eperm},
		"mount with CAP_SYS_ADMIN":       {docker("CAP_SYS_ADMIN"), call{archNative, 40, 0}, returnAllow},
		"unshare":                        {plain, call{archNative, 97, 0}, eperm},
		"chroot":                         {plain, call{archNative, 51, 0}, returnAllow},
		"chroot without CAP_SYS_CHROOT":  {0, call{archNative, 51, 0}, eperm},
		"keyctl":                         {docker("CAP_SYS_ADMIN"), call{archNative, 219, 0}, eperm},
		"io_uring_setup":                 {plain, call{archNative, 425, 0}, eperm},
		"clone of a thread":              {plain, call{archNative, 220, 0x3d0f00}, returnAllow},
		"clone with CLONE_NEWUSER":       {plain, call{archNative, 220, 0x10000011}, eperm},
		"clone with CLONE_NEWNET, admin": {docker("CAP_SYS_ADMIN"), call{archNative, 220, 0x40000011}, returnAllow},
		"clone3":                         {plain, call{archNative, 435, 0}, enosys},
		"socket AF_UNIX":                 {plain, call{archNative, 198, 1}, returnAllow},
		"socket AF_VSOCK":                {plain, call{archNative, 198, 40}, eperm},
		"socket AF_VSOCK, all":           {capability.All, call{archNative, 198, 40}, eperm},
		"socket AF_ALG":                  {plain, call{archNative, 198, 38}, eperm},
		"personality PER_LINUX":          {plain, call{archNative, 92, 0}, returnAllow},
		"personality NO_RANDOMIZE":       {plain, call{archNative, 92, 0x40000}, eperm},
		"newfstatat":                     {plain, call{archNative, 79, 0}, returnAllow},
		"an unknown number":              {plain, call{archNative, 5000, 0}, eperm},
		"the largest number":             {plain, call{archNative, 0xffffffff, 0}, eperm},
		"arm read":                       {plain, call{archCompat, 3, 0}, returnAllow},
		"arm mount":                      {plain, call{archCompat, 21, 0}, eperm},
		"arm clone with CLONE_NEWNS":     {plain, call{archCompat, 120, 0x20000}, eperm},
		"arm socket AF_VSOCK":            {plain, call{archCompat, 281, 40}, eperm},
		"arm socket AF_INET":             {plain, call{archCompat, 281, 2}, returnAllow},
		"arm set_tls":                    {plain, call{archCompat, 0xf0005, 0}, returnAllow},
		"another architecture":           {plain, call{auditX8664, 0, 0}, returnKillProcess},
	} {
		t.Run(name, func(t *testing.T) {
			if got := interpret(t, Default(c.capabilities), c.call); got != c.want {
				t.Errorf("got %#x, want %#x", got, c.want)
			}
		})
	}
}
