package box

import (
	"errors"
	"syscall"

	"a3s.dev/box/agent/linux"
	"a3s.dev/box/agent/netlink"
)

// ground is what a box stands on, whatever its spec says: its namespaces, and the kernel's filesystems in them. A prepared guest has one
// before there is a spec; any other makes its own for the spec.
type ground struct {
	// thread is in the namespaces. Its children are born in the box's pid namespace.
	thread     *thread
	namespaces Namespaces
	// system is a directory with the box's /dev and /proc, which only have to be moved.
	system     root
	protection protection
	// proc is the mount of the latter.
	proc int
	// outside speaks to the network namespace that devices are plugged into.
	outside  *netlink.Connection
	networks map[string]*network
	texts    *texts
	// changes is the mounted disk or memory that the box writes to; zero for none yet.
	changes Changes
	// changesAt is the directory in it that is the box's.
	changesAt string
	// disks are device files by serial, as far as they were looked for.
	disks map[string]string
	// main is the stage that becomes the main process, and bornIn the network that it is in.
	main   *waiting
	bornIn *network
	// random is open on the kernel's random numbers.
	random int
	// bootID is what the box reads as such.
	bootID string
	// base is a clone of what a prepared guest has mounted before the box's root is entered: what leaves the namespace then need not be
	// taken apart.
	base int
	// root is the box's, once it was built.
	root root
}

// newGround makes namespaces for a box, and what it sees of the kernel in them.
func newGround(l *launcher, p protection) (*ground, error) {
	outside, err := netlink.Open()
	if err != nil {
		return nil, err
	}
	random, err := linux.OpenAt(-1, "/dev/random", syscall.O_WRONLY, 0, 0)
	if err != nil {
		return nil, errors.Join(err, outside.Close())
	}
	g := &ground{
		protection: p,
		thread:     startThread(), outside: outside, networks: map[string]*network{},
		namespaces: Namespaces{-1, -1, -1, -1, -1, -1}, system: root{-1}, proc: -1, base: -1, root: root{-1}, random: random,
	}
	return g, g.thread.do(func() error { return g.lay(l) })
}

func (g *ground) lay(l *launcher) (err error) {
	if err := g.unshare(l.cgroup.Namespace); err != nil {
		return err
	}
	g.texts, err = makeBase()
	return err
}

// park starts main's stage where this thread is, and makes what shows its namespaces.
func (g *ground) park(l *launcher, in *network) error {
	var err error
	if err := linux.SetNamespace(in.namespace, syscall.CLONE_NEWNET); err != nil {
		return err
	}
	g.bornIn = in
	if g.main, g.proc, err = l.park(); err != nil {
		return err
	}
	if g.system, err = mountSystem(g.texts, g.proc, g.protection); err != nil {
		return err
	}
	g.namespaces.Pid, err = linux.OpenAt(-1, "/proc/thread-self/ns/pid_for_children", syscall.O_RDONLY, 0, 0)
	return err
}

// mainNetwork is the network namespace that main's stage has yet to enter, or -1.
func (g *ground) mainNetwork() int {
	if g.bornIn.namespace == g.namespaces.Network {
		return -1
	}
	return g.namespaces.Network
}

// identify gives a guest that was not started from a copy the ids that its kernel has.
func (g *ground) identify() (err error) {
	g.bootID, err = g.texts.identify()
	return err
}

func (g *ground) unshare(cgroupNamespace int) error {
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
	g.namespaces.Cgroup = cgroupNamespace
	for name, fd := range map[string]*int{"mnt": &g.namespaces.Mount, "uts": &g.namespaces.UTS, "ipc": &g.namespaces.IPC} {
		var err error
		if *fd, err = linux.OpenAt(-1, "/proc/thread-self/ns/"+name, syscall.O_RDONLY, 0, 0); err != nil {
			return err
		}
	}
	return nil
}

// keepBase clones what is mounted before the box's root is entered.
func (g *ground) keepBase() error {
	return g.thread.do(func() (err error) {
		g.base, err = linux.CloneMount(-1, "/", true)
		return err
	})
}

// end ends what is left of main, and leaves the changes clean on their disk. Every step is tried.
func (g *ground) end() error {
	var err error
	if g.main != nil {
		// Even where there is no control group.
		err = g.main.kill()
	}
	if g.changes.Kind == ChangesEncrypted {
		err = errors.Join(err, abandonChanges())
	}
	syscall.Sync()
	err = errors.Join(err, g.close())
	switch g.changes.Kind {
	case "":
		return err
	case ChangesDisk:
		err = errors.Join(err, cleanChanges())
	}
	return errors.Join(err, unmountChanges())
}

// close lets go of all that keeps the box's mount namespace, and with it the overlay.
func (g *ground) close() error {
	g.thread.end()
	err := errors.Join(g.texts.close(), g.outside.Close())
	for _, fd := range []int{
		g.namespaces.Mount, g.namespaces.UTS, g.namespaces.IPC, g.namespaces.Pid, g.system.fd, g.proc, g.base, g.root.fd, g.random,
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
