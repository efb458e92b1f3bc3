package box

import (
	"os"
	"syscall"

	"a3s.dev/box/agent/linux"
)

// systemMount is a filesystem of the kernel that every box has.
type systemMount struct {
	path       string
	kind       string
	attributes uint64
	options    []linux.Option
}

const harmless = linux.Nosuid | linux.Nodev | linux.Noexec

// ownMounts are in the order in which they are mounted. /proc is missing: main's stage brings it. devpts is not nodev, or no terminal could be opened; nobody can make nodes in it.
var ownMounts = []systemMount{
	{"/dev", "tmpfs", linux.Nosuid | linux.Nodev, []linux.Option{{Key: "mode", Value: "0755"}, {Key: "size", Value: "65536k"}}},
	{"/dev/pts", "devpts", linux.Nosuid | linux.Noexec, []linux.Option{
		{Key: "newinstance"}, {Key: "ptmxmode", Value: "0666"}, {Key: "mode", Value: "0620"}, {Key: "gid", Value: "5"},
	}},
	{"/dev/shm", "tmpfs", harmless, []linux.Option{{Key: "mode", Value: "1777"}, {Key: "size", Value: "65536k"}}},
	{"/dev/mqueue", "mqueue", harmless, nil},
}

// networkMounts show the network namespace of who mounts them.
var networkMounts = []systemMount{
	{"/sys", "sysfs", harmless | linux.Readonly, nil},
	{"/sys/fs/cgroup", "cgroup2", harmless | linux.Readonly, nil},
}

// mountSystem makes the box's /dev and /proc, where they wait for its root.
func (g *ground) mountSystem(p protection) error {
	var err error
	if g.system, err = makeRoot(systemDir); err != nil {
		return err
	}
	g.protection = p
	if err := mountAll(g.system, ownMounts); err != nil {
		return err
	}
	if err := makeDevices(g.system); err != nil {
		return err
	}
	if err := attachTo(g.system, g.proc, "/proc"); err != nil {
		return err
	}
	// First, so that it is as read-only as what is around it.
	if err := g.texts.bootID.cover(g.system, bootIDPath, harmless|linux.Readonly); err != nil {
		return err
	}
	return p.below("/dev", "/proc").apply(g.system)
}

// makeRoot makes a new directory of this thread's mount namespace, in another one.
func makeRoot(parent string) (root, error) {
	if err := os.MkdirAll(parent, 0o755); err != nil {
		return root{-1}, err
	}
	path, err := os.MkdirTemp(parent, "")
	if err != nil {
		return root{-1}, err
	}
	fd, err := linux.OpenAt(-1, path, linux.OPath|syscall.O_DIRECTORY, 0, 0)
	return root{fd}, err
}

func mountAll(r root, mounts []systemMount) error {
	for _, m := range mounts {
		if err := mountIn(r, m); err != nil {
			return &deviceError{"mount", m.path, err}
		}
	}
	return nil
}

func mountIn(r root, m systemMount) error {
	mount, err := linux.NewMount(m.kind, m.attributes, append(m.options, linux.Option{Key: "source", Value: m.kind})...)
	if err != nil {
		return err
	}
	defer syscall.Close(mount)
	return attachTo(r, mount, m.path)
}

// attachTo insists on an ordinary directory: a link of the image at /sys would lead the mount astray.
func attachTo(r root, mount int, path string) error {
	if err := r.plainDirectory(path); err != nil {
		return err
	}
	target, err := r.open(path, syscall.O_DIRECTORY, linux.NoSymlinks)
	if err != nil {
		return err
	}
	defer syscall.Close(target)
	return linux.Attach(mount, target)
}

// adopt moves a mount, with all that is mounted below, from another root of this mount namespace to the same path.
func (r root) adopt(other root, path string) error {
	mount, err := other.open(path, syscall.O_DIRECTORY, linux.NoSymlinks)
	if err != nil {
		return err
	}
	defer syscall.Close(mount)
	if err := attachTo(r, mount, path); err != nil {
		return &deviceError{"mount", path, err}
	}
	return nil
}

// plainDirectory makes a directory that may be missing but must not be a link.
func (r root) plainDirectory(path string) error {
	_, kind, err := r.look(path)
	if err == nil && kind != syscall.S_IFDIR {
		return &linux.Error{Op: "mount on", On: path, Errno: syscall.ENOTDIR}
	}
	fd, err := r.directory(path)
	if err != nil {
		return err
	}
	return syscall.Close(fd)
}

// device is a node that a box may open.
type device struct {
	name         string
	major, minor int
}

var devices = []device{
	{"null", 1, 3}, {"zero", 1, 5}, {"full", 1, 7}, {"random", 1, 8}, {"urandom", 1, 9}, {"tty", 5, 0},
}

// link is a symbolic link below /dev.
type link struct{ name, target string }

var deviceLinks = []link{
	{"ptmx", "pts/ptmx"}, {"fd", "/proc/self/fd"}, {"stdin", "/proc/self/fd/0"}, {"stdout", "/proc/self/fd/1"},
	{"stderr", "/proc/self/fd/2"}, {"core", "/proc/kcore"},
}

// makeDevices fills the box's /dev. It is nodev, so that no node that the box makes opens anything; each permitted
// node is a mount of its own from a filesystem that the box never sees.
func makeDevices(r root) error {
	if err := mountAt("tmpfs", nodesDir, linux.Nosuid|linux.Noexec, linux.Option{Key: "mode", Value: "0700"}); err != nil {
		return err
	}
	for _, device := range devices {
		if err := makeDevice(r, device); err != nil {
			return &deviceError{"device", device.name, err}
		}
	}
	dev, err := r.open("/dev", syscall.O_DIRECTORY, linux.NoSymlinks)
	if err != nil {
		return err
	}
	defer syscall.Close(dev)
	for _, link := range deviceLinks {
		if err := linux.SymlinkAt(link.target, dev, link.name); err != nil {
			return err
		}
	}
	return nil
}

// makeConsole makes what the main process's terminal is mounted on.
func makeConsole(r root) error {
	fd, err := r.file("/dev/console")
	if err != nil {
		return err
	}
	return syscall.Close(fd)
}

func makeDevice(r root, d device) error {
	node := nodesDir + "/" + d.name
	if err := syscall.Mknod(node, syscall.S_IFCHR|0o666, d.major<<8|d.minor); err != nil {
		return err
	}
	// The umask of the agent does not matter.
	if err := os.Chmod(node, 0o666); err != nil {
		return err
	}
	mount, err := linux.CloneMount(-1, node, false)
	if err != nil {
		return err
	}
	defer syscall.Close(mount)
	return attachFile(r, mount, "/dev/"+d.name)
}

// attachFile mounts over a file of the box, made empty if missing.
func attachFile(r root, mount int, path string) error {
	target, err := r.file(path)
	if err != nil {
		return err
	}
	defer syscall.Close(target)
	return linux.Attach(mount, target)
}
