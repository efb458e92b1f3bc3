package box

import (
	"errors"
	"os"
	"syscall"

	"a3s.dev/box/agent/linux"
	"a3s.dev/box/agent/netlink"
)

// Directories of the agent. All of them but changesDir exist in the box's mount namespace only, and there only until the box's
// root is entered.
const (
	changesDir  = "/run/changes"
	boxDir      = "/run/box"
	layersDir   = boxDir + "/layers"
	nodesDir    = boxDir + "/nodes"
	pointsDir   = boxDir + "/points"
	textsDir    = boxDir + "/texts"
	sharesDir   = boxDir + "/shares"
	systemDir   = boxDir + "/system"
	networksDir = boxDir + "/networks"
	rootDir     = boxDir + "/root"
)

// What the overlay writes to, below the directory of the changes.
const (
	upperName = "/upper"
	workName  = "/work"
)

// Namespaces are descriptors of the namespaces that every process of the box joins.
type Namespaces struct{ Mount, UTS, IPC, Network, Cgroup, Pid int }

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

func (g *ground) lay(l *launcher) error {
	if err := g.unshare(l.cgroup.Namespace); err != nil {
		return err
	}
	if err := enterBase(); err != nil {
		return err
	}
	var err error
	if g.texts, err = newTexts(); err != nil {
		return err
	}
	if err := makePoints(); err != nil {
		return err
	}
	for index := range usualLayers {
		if err := os.MkdirAll(layerDir(index), 0o755); err != nil {
			return err
		}
	}
	if err := os.Mkdir(rootDir, 0o755); err != nil {
		return err
	}
	return nil
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
	if err := g.mountSystem(g.protection); err != nil {
		return err
	}
	g.namespaces.Pid, err = linux.OpenAt(-1, "/proc/thread-self/ns/pid_for_children", syscall.O_RDONLY, 0, 0)
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

// enterBase makes an empty tmpfs, with the agent's own view of the kernel, the root of this thread's mount namespace.
//
// pivot_root cannot replace an initramfs, so it is moved on top, as switch_root does, and everything else is unmounted. What lies below
// is an empty, read-only directory.
func enterBase() error {
	below, err := linux.OpenAt(-1, "/", linux.OPath|syscall.O_DIRECTORY, 0, 0)
	if err != nil {
		return err
	}
	defer syscall.Close(below)
	others, err := topMounts("/proc/thread-self/mountinfo")
	if err != nil {
		return err
	}
	if err := mountAt("tmpfs", boxDir, 0, linux.Option{Key: "mode", Value: "0755"}); err != nil {
		return err
	}
	for _, path := range []string{"/dev", "/proc", "/sys"} {
		mount, err := linux.CloneMount(-1, path, false)
		if err != nil {
			return err
		}
		if err := errors.Join(attachAt(mount, boxDir+path), syscall.Close(mount)); err != nil {
			return err
		}
	}
	if err := linux.SetAttributes(below, linux.Readonly, false); err != nil {
		return err
	}
	if err := syscall.Chdir(boxDir); err != nil {
		return err
	}
	if err := syscall.Mount(boxDir, "/", "", syscall.MS_MOVE, ""); err != nil {
		return &linux.Error{Op: "move", On: boxDir, Errno: err.(syscall.Errno)}
	}
	if err := syscall.Chroot("."); err != nil {
		return &linux.Error{Op: "chroot", On: boxDir, Errno: err.(syscall.Errno)}
	}
	if err := syscall.Fchdir(below); err != nil {
		return err
	}
	for _, path := range others {
		if err := syscall.Unmount(path, syscall.MNT_DETACH); err != nil {
			return &linux.Error{Op: "unmount", On: path, Errno: err.(syscall.Errno)}
		}
	}
	return syscall.Chdir("/")
}

// keepBase clones what is mounted before the box's root is entered.
func (g *ground) keepBase() (err error) {
	g.base, err = linux.CloneMount(-1, "/", true)
	return err
}

// enterRoot makes the box's root that of the mount namespace, and of all who are in the base. Nothing else stays mounted.
func enterRoot(r root) error {
	if err := syscall.Fchdir(r.fd); err != nil {
		return err
	}
	// The base comes to lie on top of the root, where "." then leads.
	if err := syscall.PivotRoot(".", "."); err != nil {
		return &linux.Error{Op: "pivot_root", On: rootDir, Errno: err.(syscall.Errno)}
	}
	if err := syscall.Unmount(".", syscall.MNT_DETACH); err != nil {
		return &linux.Error{Op: "unmount", On: "the base", Errno: err.(syscall.Errno)}
	}
	return syscall.Chdir("/")
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
