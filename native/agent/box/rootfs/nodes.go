package rootfs

import (
	"os"
	"syscall"

	"a3s.dev/box/agent/box/layers"
	"a3s.dev/box/agent/box/rootdir"
	"a3s.dev/box/agent/linux"
)

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

// makeDevices fills the box's /dev. It is nodev, so that no node that the box makes opens anything;
// each permitted node is a mount of its own from a filesystem that the box never sees.
func makeDevices(r rootdir.Root) error {
	if err := rootdir.MountAt("tmpfs", nodesDir, linux.Nosuid|linux.Noexec, linux.Option{Key: "mode", Value: "0700"}); err != nil {
		return err
	}
	for _, device := range devices {
		if err := makeDevice(r, device); err != nil {
			return layers.NewDeviceError("device", device.name, err)
		}
	}
	dev, err := r.Open("/dev", syscall.O_DIRECTORY, linux.NoSymlinks)
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
func makeConsole(r rootdir.Root) error {
	fd, err := r.File("/dev/console")
	if err != nil {
		return err
	}
	return syscall.Close(fd)
}

func makeDevice(r rootdir.Root, d device) error {
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
	return rootdir.AttachFile(r, mount, "/dev/"+d.name)
}
