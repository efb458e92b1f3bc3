package boot

import (
	"errors"
	"os"
	"strings"
	"syscall"
)

// creator makes one entry of the guest's own file tree.
type creator interface {
	Create() error
	String() string
}

// mount is a filesystem of the kernel.
type mount struct {
	target, kind string
	flags        uintptr
	data         string
}

func (m mount) Create() error {
	if err := os.MkdirAll(m.target, 0o755); err != nil {
		return err
	}
	// The kernel mounts devtmpfs by itself where it was built to.
	err := syscall.Mount(m.kind, m.target, m.kind, m.flags, m.data)
	if errors.Is(err, syscall.EBUSY) {
		return nil
	}
	return err
}

func (m mount) String() string { return "mount " + m.kind + " " + m.target }

// directory is an empty directory.
type directory struct{ path string }

func (d directory) Create() error  { return os.MkdirAll(d.path, 0o755) }
func (d directory) String() string { return "mkdir " + d.path }

// setting is a value of the kernel.
type setting struct{ path, value string }

func (s setting) Create() error  { return os.WriteFile(s.path, []byte(s.value), 0) }
func (s setting) String() string { return "set " + s.path + " to " + strings.TrimSpace(s.value) }

const plain = syscall.MS_NOSUID | syscall.MS_NOEXEC

// tree is what the agent needs before anything else, in order. The device files of /dev are for the
// agent alone: boxes have a /dev of their own.
var tree = []creator{
	mount{"/proc", "proc", plain | syscall.MS_NODEV, ""},
	mount{"/sys", "sysfs", plain | syscall.MS_NODEV, ""},
	mount{"/dev", "devtmpfs", plain, "mode=0755"},
	mount{"/run", "tmpfs", plain | syscall.MS_NODEV, "mode=0755"},
	// favordynmods: every process of a box is moved into its group; without it each move waits for
	// an RCU grace period.
	mount{"/sys/fs/cgroup", "cgroup2", plain | syscall.MS_NODEV, "favordynmods"},
	directory{"/run/box"},
	// The kernel looks for no program that would load modules: there is none.
	setting{"/proc/sys/kernel/modprobe", "\n"},
	// The agent is the last thing that the kernel may kill when memory is short.
	setting{"/proc/self/oom_score_adj", "-1000"},
}

// sealing removes access that is not needed once the box's devices have their drivers: after it no
// process can load a module.
var sealing = []creator{
	setting{"/proc/sys/kernel/modules_disabled", "1"},
	setting{"/proc/sys/kernel/kexec_load_disabled", "1"},
}

func createAll(things []creator) error {
	for _, thing := range things {
		if err := thing.Create(); err != nil {
			return &StepError{thing.String(), err}
		}
	}
	return nil
}

// StepError is a step of the boot that failed.
type StepError struct {
	Step  string
	Cause error
}

func (e *StepError) Error() string { return e.Step + ": " + e.Cause.Error() }
func (e *StepError) Unwrap() error { return e.Cause }

// configfs serves the reports of a hardware processor.
var configfs = mount{"/sys/kernel/config", "configfs", plain | syscall.MS_NODEV, ""}

// MountConfigfs mounts it where the kernel has it. One without it has another way to reports.
func MountConfigfs() error {
	if _, err := os.Stat(configfs.target); errors.Is(err, os.ErrNotExist) {
		return nil
	}
	return createAll([]creator{configfs})
}
