// Package sandbox has the namespaces of the box, the network in them, and the order in which a box is set up there.
package sandbox

import (
	"errors"
	"syscall"

	"a3s.dev/box/agent/box/process"
	"a3s.dev/box/agent/box/rootfs"
	"a3s.dev/box/agent/box/spec"
	"a3s.dev/box/agent/linux"
	"a3s.dev/box/agent/netlink"
)

// Sandbox is what a box stands on, whatever its spec says: its namespaces, and the kernel's filesystems in them. A prepared guest has one
// before there is a spec; any other makes its own for the spec.
type Sandbox struct {
	// thread is in the namespaces. Its children are born in the box's pid namespace.
	thread     *thread
	Namespaces process.Namespaces
	// system is a directory with the box's /dev and /proc, which only have to be moved.
	system     rootfs.Root
	protection rootfs.Protection
	// proc is the mount of the latter.
	Proc int
	// outside speaks to the network namespace that devices are plugged into.
	outside  *netlink.Connection
	networks map[string]*network
	texts    *rootfs.Texts
	// changes is the mounted disk or memory that the box writes to; zero for none yet.
	changes spec.Changes
	// changesAt is the directory in it that is the box's.
	changesAt string
	// disks are device files by serial, as far as they were looked for.
	disks map[string]string
	// main is the stage that becomes the main process, and bornIn the network that it is in.
	Main        *process.Stage
	mainStarted *network
	// random is open on the kernel's random numbers.
	random int
	// bootID is what the box reads as such.
	BootID string
	// base is a clone of what a prepared guest has mounted before the box's root is entered: what leaves the namespace then need not be
	// taken apart.
	base int
	// root is the box's, once it was built.
	Root rootfs.Root
}

// New makes namespaces for a box, and what it sees of the kernel in them.
func New(l *process.Launcher, p rootfs.Protection) (*Sandbox, error) {
	outside, err := netlink.Open()
	if err != nil {
		return nil, err
	}
	random, err := linux.OpenAt(-1, "/dev/random", syscall.O_WRONLY, 0, 0)
	if err != nil {
		return nil, errors.Join(err, outside.Close())
	}
	g := &Sandbox{
		protection: p,
		thread:     startThread(), outside: outside, networks: map[string]*network{},
		Namespaces: process.Namespaces{Mount: -1, UTS: -1, IPC: -1, Network: -1, Cgroup: -1, Pid: -1}, system: rootfs.Root{FD: -1}, Proc: -1, base: -1, Root: rootfs.Root{FD: -1}, random: random,
	}
	return g, g.thread.do(func() error { return g.enter(l) })
}

func (g *Sandbox) enter(l *process.Launcher) (err error) {
	if err := g.unshare(l.Cgroup.Namespace); err != nil {
		return err
	}
	g.texts, err = rootfs.MakeBase()
	return err
}

// park starts main's stage where this thread is, and makes what shows its namespaces.
func (g *Sandbox) startMain(l *process.Launcher, in *network) error {
	var err error
	if err := linux.SetNamespace(in.namespace, syscall.CLONE_NEWNET); err != nil {
		return err
	}
	g.mainStarted = in
	if g.Main, g.Proc, err = l.StartMain(); err != nil {
		return err
	}
	if g.system, err = rootfs.MountSystem(g.texts, g.Proc, g.protection); err != nil {
		return err
	}
	g.Namespaces.Pid, err = linux.OpenAt(-1, "/proc/thread-self/ns/pid_for_children", syscall.O_RDONLY, 0, 0)
	return err
}

// MainNetwork is the network namespace that main's stage has yet to enter, or -1.
func (g *Sandbox) MainNetwork() int {
	if g.mainStarted.namespace == g.Namespaces.Network {
		return -1
	}
	return g.Namespaces.Network
}

// Identify gives a guest that was not started from a copy the ids that its kernel has.
func (g *Sandbox) Identify() (err error) {
	g.BootID, err = g.texts.Identify()
	return err
}

func (g *Sandbox) unshare(cgroupNamespace int) error {
	if err := linux.SetNamespace(cgroupNamespace, syscall.CLONE_NEWCGROUP); err != nil {
		return err
	}
	const own = syscall.CLONE_FS | syscall.CLONE_NEWNS | syscall.CLONE_NEWUTS | syscall.CLONE_NEWIPC | syscall.CLONE_NEWPID
	if err := linux.Unshare(own); err != nil {
		return err
	}
	if err := syscall.Mount("", "/", "", syscall.MS_REC|syscall.MS_PRIVATE, ""); err != nil {
		return &linux.Error{Op: "make private", On: "/", Errno: err.(syscall.Errno)}
	}
	g.Namespaces.Cgroup = cgroupNamespace
	for name, fd := range map[string]*int{"mnt": &g.Namespaces.Mount, "uts": &g.Namespaces.UTS, "ipc": &g.Namespaces.IPC} {
		var err error
		if *fd, err = linux.OpenAt(-1, "/proc/thread-self/ns/"+name, syscall.O_RDONLY, 0, 0); err != nil {
			return err
		}
	}
	return nil
}

// KeepBase clones what is mounted before the box's root is entered.
func (g *Sandbox) KeepBase() error {
	return g.thread.do(func() (err error) {
		g.base, err = linux.CloneMount(-1, "/", true)
		return err
	})
}

// End ends what is left of main, and leaves the changes clean on their disk. Every step is tried.
func (g *Sandbox) End() error {
	var err error
	if g.Main != nil {
		// Even where there is no control group.
		err = g.Main.Kill()
	}
	if g.changes.Kind == spec.ChangesEncrypted {
		err = errors.Join(err, rootfs.AbandonChanges())
	}
	syscall.Sync()
	err = errors.Join(err, g.close())
	switch g.changes.Kind {
	case "":
		return err
	case spec.ChangesDisk:
		err = errors.Join(err, rootfs.CleanChanges())
	}
	return errors.Join(err, rootfs.UnmountChanges())
}

// close lets go of all that keeps the box's mount namespace, and with it the overlay.
func (g *Sandbox) close() error {
	g.thread.end()
	err := errors.Join(g.texts.Close(), g.outside.Close())
	for _, fd := range []int{
		g.Namespaces.Mount, g.Namespaces.UTS, g.Namespaces.IPC, g.Namespaces.Pid, g.system.FD, g.Proc, g.base, g.Root.FD, g.random,
	} {
		if fd >= 0 {
			err = errors.Join(err, syscall.Close(fd))
		}
	}
	for _, network := range g.networks {
		err = errors.Join(err, network.close())
	}
	return err
}
