package box_test

import (
	"strings"
	"testing"
)

// facts are what a process can say of its own confinement.
const facts = `busybox grep -E '^(Uid|Groups|Cap...|NoNewPrivs|Seccomp):' /proc/self/status
for ns in mnt pid net ipc uts cgroup; do busybox readlink /proc/self/ns/$ns; done`

func normal(text string) string { return strings.ReplaceAll(text, "\r", "") }

func TestMainExecAndTerminalAreConfinedAlike(t *testing.T) {
	spec := strings.Replace(document, `["/bin/busybox","cat"]`, `["/bin/busybox","sh","-c",`+quote(facts+"\nexec busybox cat")+`]`, 1)
	h := start(t, spec)
	terminal := script(facts)
	terminal.Terminal = true
	exec, _ := h.run("e", script(facts))
	tty, _ := h.run("t", terminal)
	h.call("PUT", "/v1/processes/main/stdin", nil)
	main := h.output("main")
	if main != exec || main != normal(tty) {
		t.Errorf("main:\n%s\nexec:\n%s\nterminal:\n%s", main, exec, tty)
	}
	for _, line := range []string{
		"CapInh:\t0000000000000000", "CapPrm:\t00000000080400e3", "CapEff:\t00000000080400e3", "CapBnd:\t00000000080400e3",
		"CapAmb:\t0000000000000000", "NoNewPrivs:\t0", "Seccomp:\t2",
	} {
		if !strings.Contains(main, line+"\n") {
			t.Errorf("%q is missing in\n%s", line, main)
		}
	}
}

func quote(text string) string {
	return `"` + strings.NewReplacer(`"`, `\"`, "\n", `\n`).Replace(text) + `"`
}

func TestAnotherUserHasNoCapabilities(t *testing.T) {
	h := start(t, document)
	p := script(facts + "\necho again > /dev/stdout; echo $HOME")
	p.User = "app"
	got, _ := h.run("e", p)
	for _, line := range []string{
		"Uid:\t1000\t1000\t1000\t1000", "Groups:\t1000 2000 ", "CapPrm:\t0000000000000000", "CapEff:\t0000000000000000",
		"CapBnd:\t00000000080400e3", "Seccomp:\t2", "again", "/home/app",
	} {
		if !strings.Contains(got, line+"\n") {
			t.Errorf("%q is missing in\n%s", line, got)
		}
	}
}

func TestNoNewPrivilegesIsForAll(t *testing.T) {
	h := start(t, strings.Replace(document, `"noNewPrivileges":false`, `"noNewPrivileges":true`, 1))
	got, _ := h.run("e", script(facts))
	if !strings.Contains(got, "NoNewPrivs:\t1\n") || !strings.Contains(got, "Seccomp:\t2\n") {
		t.Error(got)
	}
}

func TestABoxIsConfined(t *testing.T) {
	h := start(t, document)
	for name, c := range map[string]struct{ command, want string }{
		"see a process that is not its own": {"for p in /proc/[0-9]*; do busybox tr '\\0' ' ' < $p/cmdline; echo; done 2>/dev/null | busybox grep -v -E 'busybox|^$'", ""},
		"open a device that it makes": {"busybox mknod /tmp/d c 1 3; busybox cat /tmp/d 2>&1",
			"cat: can't open '/tmp/d': Permission denied\n"},
		"open a device that it makes in /dev":     {"busybox mknod /dev/d b 254 0; busybox cat /dev/d 2>&1", "cat: can't open '/dev/d': Permission denied\n"},
		"open a device that it makes in /dev/shm": {"busybox mknod /dev/shm/d c 1 3; busybox cat /dev/shm/d 2>&1", "cat: can't open '/dev/shm/d': Permission denied\n"},
		"read a masked file":                      {"busybox wc -c < /proc/version", "0\n"},
		"read a masked directory":                 {"busybox ls /secret; busybox ls /sys/firmware", ""},
		"write to a read-only path":               {"(echo x > /proc/sys/kernel/hostname) 2>&1", "sh: can't create /proc/sys/kernel/hostname: Read-only file system\n"},
		"write to /sys":                           {"busybox mkdir /sys/fs/cgroup/x 2>&1", "mkdir: can't create directory '/sys/fs/cgroup/x': Read-only file system\n"},
		"mount":                                   {"busybox mount -t tmpfs x /tmp 2>&1", "mount: permission denied (are you root?)\n"},
		"have more descriptors than its three":    {"busybox ls /proc/$$/fd; true", "0\n1\n2\n"},
		"leave its root by a chroot":              {"busybox mkdir -p /tmp/j && busybox chroot /bin /busybox ls /", "bad\nbusybox\nplain\n"},
		"see the host's files":                    {"busybox ls /; busybox ls /..", strings.Repeat("bin\ndev\netc\nproc\nsecret\nsys\ntmp\nwork\n", 2)},
		"have another host name":                  {"busybox hostname; busybox cat /etc/hostname", "box1\nbox1\n"},
		"see another network":                     {"busybox ls /sys/class/net", "lo\n"},
	} {
		t.Run(name, func(t *testing.T) {
			h.t = t
			id := strings.Map(func(r rune) rune {
				if r < 'a' || r > 'z' {
					return -1
				}
				return r
			}, name)
			if got, _ := h.run(id, script(c.command)); got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
	h.t = t
}

// Everything mounted in a box is nodev, but for the device files themselves and for devpts, in
// which nobody can make any.
func TestEveryMountIsNodev(t *testing.T) {
	h := start(t, document)
	got, _ := h.run("e", script("busybox cat /proc/self/mountinfo"))
	for line := range strings.Lines(got) {
		fields := strings.Fields(line)
		target, options := fields[4], fields[5]
		device := strings.HasPrefix(target, "/dev/") && fields[3] != "/" || fields[3] == "/null" || target == "/dev/pts"
		if !device && !strings.Contains(options, "nodev") {
			t.Error(line)
		}
	}
}
