package rootfs

import (
	"errors"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"syscall"

	"a3s.dev/box/agent/box/devicefilter"
	"a3s.dev/box/agent/box/layers"
	"a3s.dev/box/agent/box/rootdir"
	"a3s.dev/box/agent/linux"
)

// guestDev is the guest's own /dev, as the base has it.
const guestDev = "/dev"

// errNoDevice is a device that the kernel of the guest does not have.
var errNoDevice = errors.New("the kernel of the guest has no such device")

// node is a device of the guest by its path below /dev.
type node struct {
	name   string
	mode   uint32
	device int
}

// giveDevices gives the box devices of its guest: those that it names, or all of them where it is
// privileged.
func giveDevices(r rootdir.Root, p Protection) error {
	for _, name := range p.Devices {
		found, err := guestNode(name)
		if err != nil {
			return layers.NewDeviceError("device", name, err)
		}
		if err := shareNode(r, found); err != nil {
			return layers.NewDeviceError("device", name, err)
		}
	}
	if !p.Privileged {
		return nil
	}
	nodes, err := guestNodes()
	if err != nil {
		return err
	}
	for _, found := range nodes {
		if err := makeNode(r, found); err != nil {
			return layers.NewDeviceError("device", found.name, err)
		}
	}
	return nil
}

// Given are the nodes that a box is given by their paths.
func (p Protection) Given() (given []devicefilter.Node, err error) {
	for _, name := range p.Devices {
		found, err := guestNode(name)
		if err != nil {
			return nil, layers.NewDeviceError("device", name, err)
		}
		given = append(given, found.filtered())
	}
	return given, nil
}

// filtered is the node as a filter knows it, in the kernel's encoding of a number.
func (n node) filtered() devicefilter.Node {
	device := uint64(n.device)
	return devicefilter.Node{
		Block: n.mode&syscall.S_IFMT == syscall.S_IFBLK,
		Major: int64(device >> 8 & 0xfff), Minor: int64(device&0xff | device>>12&0xfff00),
	}
}

// guestNode finds a device of the guest.
func guestNode(name string) (node, error) {
	var stat syscall.Stat_t
	if err := syscall.Lstat(guestDev+"/"+name, &stat); err != nil {
		if errors.Is(err, syscall.ENOENT) || errors.Is(err, syscall.ENOTDIR) {
			err = errNoDevice
		}
		return node{}, err
	}
	if !isDevice(stat.Mode) {
		return node{}, errNoDevice
	}
	return node{name, stat.Mode, int(stat.Rdev)}, nil
}

func isDevice(mode uint32) bool {
	kind := mode & syscall.S_IFMT
	return kind == syscall.S_IFCHR || kind == syscall.S_IFBLK
}

// guestNodes lists all devices of the guest.
func guestNodes() (nodes []node, err error) {
	err = filepath.WalkDir(guestDev, func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.Type()&fs.ModeDevice == 0 {
			return err
		}
		relative, err := filepath.Rel(guestDev, name)
		if err != nil {
			return err
		}
		found, err := guestNode(relative)
		// A device may go at any time.
		if errors.Is(err, errNoDevice) {
			return nil
		}
		nodes = append(nodes, found)
		return err
	})
	return nodes, err
}

// shareNode mounts a device on a file of the box's /dev, in which no node that the box makes opens
// anything.
func shareNode(r rootdir.Root, n node) error {
	source := nodesDir + "/" + n.name
	if err := os.MkdirAll(path.Dir(source), 0o755); err != nil {
		return err
	}
	if err := syscall.Mknod(source, n.mode&syscall.S_IFMT|0o666, n.device); err != nil {
		return err
	}
	if err := os.Chmod(source, 0o666); err != nil {
		return err
	}
	mount, err := linux.CloneMount(-1, source, false)
	if err != nil {
		return err
	}
	defer syscall.Close(mount)
	return rootdir.AttachFile(r, mount, "/dev/"+n.name)
}

// makeNode makes a device in the /dev of a privileged box, unless there is one already.
func makeNode(r rootdir.Root, n node) error {
	parent, err := r.Directory(path.Dir("/dev/" + n.name))
	if err != nil {
		return err
	}
	defer syscall.Close(parent)
	name := path.Base(n.name)
	if err := syscall.Mknodat(parent, name, n.mode, n.device); err != nil {
		if errors.Is(err, syscall.EEXIST) {
			return nil
		}
		return &linux.Error{Op: "mknod", On: n.name, Errno: err.(syscall.Errno)}
	}
	// The umask of the agent does not matter.
	return syscall.Fchmodat(parent, name, n.mode&0o777, 0)
}
