// Package sandbox has the namespaces of the box, the network in them, and the order in which a box
// is set up there.
package sandbox

import (
	"errors"
	"syscall"

	"a3s.dev/box/agent/box/layers"
	"a3s.dev/box/agent/box/process"
	"a3s.dev/box/agent/box/rootdir"
	"a3s.dev/box/agent/box/rootfs"
	"a3s.dev/box/agent/box/spec"
	"a3s.dev/box/agent/linux"
	"a3s.dev/box/agent/netlink"
)

// Sandbox has the namespaces of a box, and the kernel's filesystems in them. A prepared guest has a
// sandbox before it has a spec; any other guest makes one for the spec.
type Sandbox struct {
	// thread is in the namespaces. Its children are born in the box's pid namespace.
	thread     *thread
	Namespaces process.Namespaces
	// system is a directory with the box's /dev and /proc, which are moved to its root.
	system     rootdir.Root
	protection rootfs.Protection
	// Proc is a mount of that /proc.
	Proc int
	// outside is connected to the network namespace that devices appear in.
	outside  *netlink.Connection
	networks map[string]*Network
	texts    *rootfs.Texts
	// changes is the mounted disk or memory that the box writes to; zero before it is mounted.
	changes spec.Changes
	// changesDir is where the agent has it, and changesAt the box's directory in it, in the box's
	// mount namespace.
	changesDir, changesAt string
	// volumes are the disks of volumes that are mounted.
	volumes []spec.Disk
	// disks are the device files that were found, by serial.
	disks map[string]string
	// Main is the stage that becomes the main process, and mainStarted the network that it was
	// started in.
	Main        *process.Stage
	mainStarted *Network
	// random is open on the kernel's random numbers.
	random int
	// BootID is the boot id that the box reads.
	BootID string
	// base is a clone of what a prepared guest has mounted before the box's root is entered. The
	// kernel need not take those mounts apart then when they leave the namespace.
	base int
	// machineID is the id of the VM that the guest was given; empty where it has the kernel's.
	machineID string
	// pod is the sandbox whose names, network and shared memory this one has too; nil for a box.
	pod *Sandbox
	// joinedPids: its PID namespace is that of the pod, or of another container.
	joinedPids bool
	// procThread is that of the sandbox whose mount namespace has Proc; nil for this one.
	procThread *thread
	// Root is the box's root once it has been built.
	Root rootdir.Root
	// Shares are the writable shares that are mounted in it. They stay open until the guest ends,
	// as nothing of them has to be written.
	Shares rootfs.Shares
}

// New makes the namespaces of a box, and mounts in them all that needs no spec. Where it fails, it
// returns what has been made, to be ended.
func New(l *process.Launcher, p rootfs.Protection) (*Sandbox, error) {
	return open(l, p, layers.ChangesDir, nil)
}

func open(l *process.Launcher, p rootfs.Protection, changesDir string, pod *Sandbox) (*Sandbox, error) {
	outside, err := netlink.Open()
	if err != nil {
		return nil, err
	}
	random, err := linux.OpenAt(-1, "/dev/random", syscall.O_WRONLY, 0, 0)
	if err != nil {
		return nil, errors.Join(err, outside.Close())
	}
	s := &Sandbox{
		protection: p, changesDir: changesDir, pod: pod,
		thread: startThread(), outside: outside, networks: map[string]*Network{}, Shares: rootfs.Shares{},
		Namespaces: process.NoNamespaces, system: rootdir.Root{FD: -1}, Proc: -1, base: -1, Root: rootdir.Root{FD: -1}, random: random,
	}
	return s, s.thread.do(func() error { return s.enter(l) })
}

func (s *Sandbox) enter(l *process.Launcher) (err error) {
	if err := s.unshare(l.Cgroup.Namespace); err != nil {
		return err
	}
	s.texts, err = rootfs.MakeBase()
	return err
}

// startMain starts main's stage in the namespaces of this thread, and mounts what shows these
// namespaces.
func (s *Sandbox) startMain(l *process.Launcher, in *Network) error {
	var err error
	if err := linux.SetNamespace(in.namespace, syscall.CLONE_NEWNET); err != nil {
		return err
	}
	s.mainStarted = in
	if s.Main, s.Proc, err = l.StartMain(); err != nil {
		return err
	}
	if s.system, err = rootfs.MountSystem(s.texts, s.Proc, s.protection); err != nil {
		return err
	}
	s.Namespaces.Pid, err = linux.OpenAt(-1, "/proc/thread-self/ns/pid_for_children", syscall.O_RDONLY, 0, 0)
	return err
}

// MainNetwork returns the network namespace that main's stage has yet to enter, or -1.
func (s *Sandbox) MainNetwork() int {
	if s.mainStarted.namespace == s.Namespaces.Network {
		return -1
	}
	return s.Namespaces.Network
}

// Identify gives a guest that was not started from a copy the ids that its kernel has.
func (s *Sandbox) Identify() (err error) {
	s.BootID, err = s.texts.Identify()
	return err
}

func (s *Sandbox) unshare(cgroupNamespace int) error {
	if err := linux.SetNamespace(cgroupNamespace, syscall.CLONE_NEWCGROUP); err != nil {
		return err
	}
	var own uintptr = syscall.CLONE_FS | syscall.CLONE_NEWNS | syscall.CLONE_NEWPID
	if s.pod == nil {
		own |= syscall.CLONE_NEWUTS | syscall.CLONE_NEWIPC
	}
	if err := linux.Unshare(own); err != nil {
		return err
	}
	if s.pod != nil {
		if err := s.pod.enterShared(); err != nil {
			return err
		}
	}
	if err := syscall.Mount("", "/", "", syscall.MS_REC|syscall.MS_PRIVATE, ""); err != nil {
		return &linux.Error{Op: "make private", On: "/", Errno: err.(syscall.Errno)}
	}
	s.Namespaces.Cgroup = cgroupNamespace
	for name, fd := range map[string]*int{"mnt": &s.Namespaces.Mount, "uts": &s.Namespaces.UTS, "ipc": &s.Namespaces.IPC} {
		var err error
		if *fd, err = linux.OpenAt(-1, "/proc/thread-self/ns/"+name, syscall.O_RDONLY, 0, 0); err != nil {
			return err
		}
	}
	return nil
}

// KeepBase clones what is mounted before the box's root is entered.
func (s *Sandbox) KeepBase() error {
	return s.thread.do(func() (err error) {
		s.base, err = linux.CloneMount(-1, "/", true)
		return err
	})
}

// End ends main's stage, closes the sandbox, and leaves the changes and the volumes clean on their
// disks. Every step is tried.
func (s *Sandbox) End() error {
	var err error
	if s.Main != nil {
		// Its control group may have failed to kill it.
		err = s.Main.Kill()
	}
	if s.changes.Kind == spec.ChangesEncrypted {
		err = errors.Join(err, layers.AbandonChanges())
	}
	if s.pod == nil {
		syscall.Sync()
	}
	err = errors.Join(err, s.close())
	for _, disk := range s.volumes {
		err = errors.Join(err, rootfs.CleanVolume(disk))
	}
	switch s.changes.Kind {
	case "":
		return err
	case spec.ChangesDisk:
		err = errors.Join(err, layers.CleanChanges(s.changesDir))
	}
	return errors.Join(err, layers.UnmountChanges(s.changesDir))
}

// close closes all that keeps the box's mount namespace, and with it the overlay.
func (s *Sandbox) close() error {
	s.thread.end()
	err := errors.Join(s.texts.Close(), s.outside.Close())
	for _, fd := range []int{
		s.Namespaces.Mount, s.Namespaces.UTS, s.Namespaces.IPC, s.Namespaces.Pid, s.system.FD, s.Proc, s.base, s.Root.FD, s.random,
	} {
		if fd >= 0 {
			err = errors.Join(err, syscall.Close(fd))
		}
	}
	for _, network := range s.networks {
		err = errors.Join(err, network.close())
	}
	return err
}
