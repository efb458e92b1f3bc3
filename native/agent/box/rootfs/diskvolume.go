package rootfs

import (
	"errors"
	"os"
	"syscall"

	"a3s.dev/box/agent/box/layers"
	"a3s.dev/box/agent/box/rootdir"
	"a3s.dev/box/agent/box/spec"
	"a3s.dev/box/agent/box/tree"
	"a3s.dev/box/agent/linux"
)

// volumesDir has the disks of volumes, in the agent's own mount namespace, and in the box's until
// its root is entered.
const volumesDir = "/run/volumes"

// What lies in the root of such a disk, beside the filesystem's own lost+found: what boxes see, and
// a copy of the image's files that is not done yet.
const (
	dataName = "data"
	fillName = "fill"
)

// errUncleanDisk is a disk that the host gives read-only, and that the kernel would have to write
// to.
var errUncleanDisk = errors.New("it was not unmounted, and its journal cannot be replayed read-only: mount the volume once in a box that may write to it")

func volumeDir(serial string) string { return volumesDir + "/" + serial }

// MountVolume mounts the disk of a volume where the agent can make it clean again, and returns a
// clone of that mount.
func MountVolume(disk spec.Disk, device string) (int, error) {
	dir := volumeDir(disk.Serial)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return -1, err
	}
	var flags uintptr = layers.DiskFlags
	if disk.Readonly {
		flags |= syscall.MS_RDONLY
	}
	options := layers.DiskOptions
	if disk.Sealed {
		options = layers.EncryptedOptions
	}
	if err := syscall.Mount(device, dir, "ext4", flags, options); err != nil {
		if disk.Readonly && err == syscall.EROFS {
			err = errUncleanDisk
		}
		return -1, layers.NewDeviceError("volume on", disk.Serial, err)
	}
	return linux.CloneMount(-1, dir, false)
}

// ShowVolume mounts such a clone in the box's mount namespace.
func ShowVolume(disk spec.Disk, mount int) error {
	return rootdir.AttachAt(mount, volumeDir(disk.Serial))
}

// CleanVolume makes the disk read-only, as layers.CleanChanges does, and unmounts it in the agent's
// own mount namespace.
func CleanVolume(disk spec.Disk) error {
	dir := volumeDir(disk.Serial)
	return errors.Join(layers.CleanDisk(dir, "the volume on "+disk.Serial), syscall.Unmount(dir, syscall.MNT_DETACH))
}

func openVolume(m spec.Mount) (int, error) {
	return linux.OpenAt(-1, volumeDir(*m.Serial), syscall.O_RDONLY|syscall.O_DIRECTORY, 0, 0)
}

// fillDisks fills the disks that are to be filled. A fill replaces what boxes see of a disk, so it
// comes before any of its mounts.
func fillDisks(r rootdir.Root, mounts []spec.Mount) error {
	for _, m := range mounts {
		if m.Kind != spec.MountDisk || !m.Fills() {
			continue
		}
		top, err := openVolume(m)
		if err == nil {
			err = errors.Join(fillDisk(r, top, m.Destination), syscall.Close(top))
		}
		if err != nil {
			return layers.NewDeviceError("disk "+*m.Serial+" at", m.Destination, err)
		}
	}
	return nil
}

// mountDisk mounts what boxes see of a disk, or a part of that, at a destination.
func mountDisk(r rootdir.Root, m spec.Mount) error {
	top, err := openVolume(m)
	if err != nil {
		return err
	}
	defer syscall.Close(top)
	mount, isFile, err := cloneData(top, m)
	if err != nil {
		return err
	}
	return errors.Join(attachPart(r, mount, isFile, m.Destination), syscall.Close(mount))
}

// attachPart attaches a mount of a directory or of a file to the box.
func attachPart(r rootdir.Root, mount int, isFile bool, destination string) error {
	if isFile {
		return rootdir.AttachFile(r, mount, destination)
	}
	target, err := r.Directory(destination)
	if err != nil {
		return err
	}
	defer syscall.Close(target)
	if err := rootdir.RefuseKernelFiles(target); err != nil {
		return err
	}
	return linux.Attach(mount, target)
}

// fillDisk copies into a disk what the image has at a destination, unless boxes have files on the
// disk. The copy becomes what boxes see in one step: a copy that was cut off is made again.
func fillDisk(r rootdir.Root, top int, destination string) error {
	empty, err := isEmptyData(top)
	if err != nil || !empty {
		return err
	}
	if err := syscall.Mkdirat(top, fillName, 0o755); err != nil && err != syscall.EEXIST {
		return tree.StepError("make a directory", err)
	}
	fill, err := tree.OpenDirectory(top, fillName)
	if err != nil {
		return err
	}
	defer syscall.Close(fill)
	if err := fillVolume(r, fill, destination); err != nil {
		// The room is there again for boxes that do not want the image's files.
		return errors.Join(err, tree.Empty(fill, tree.Here))
	}
	if err := syscall.Renameat(top, fillName, top, dataName); err != nil {
		return tree.StepError("rename", err)
	}
	return linux.SyncFilesystem(top)
}

// isEmptyData says whether boxes have no file on a disk.
func isEmptyData(top int) (bool, error) {
	data, err := tree.OpenDirectory(top, dataName)
	if errors.Is(err, syscall.ENOENT) {
		return true, nil
	}
	if err != nil {
		return false, err
	}
	defer syscall.Close(data)
	names, err := tree.ReadNames(data, make([]byte, 4096))
	return len(names) == 0, err
}

// cloneData returns a mount of what boxes see of a disk, or of a part of it. Links are followed
// below it alone.
func cloneData(top int, m spec.Mount) (mount int, isFile bool, err error) {
	place, err := openData(top, m)
	if errors.Is(err, syscall.ENOENT) && m.Readonly && m.Subpath == nil {
		// No box has written to the disk yet, and the directory cannot be made on it.
		mount, err = linux.NewMount("tmpfs", linux.Readonly|linux.Nodev, linux.Option{Key: "mode", Value: "0755"})
		return mount, false, err
	}
	if err != nil {
		return -1, false, err
	}
	defer syscall.Close(place)
	if mount, isFile, err = clonePart(place); err != nil || !m.Readonly {
		return mount, isFile, err
	}
	if err := linux.SetAttributes(mount, linux.Readonly, false); err != nil {
		return -1, false, errors.Join(err, syscall.Close(mount))
	}
	return mount, isFile, nil
}

// clonePart returns a mount of a directory or of a regular file.
func clonePart(place int) (mount int, isFile bool, err error) {
	var stat syscall.Stat_t
	if err := syscall.Fstat(place, &stat); err != nil {
		return -1, false, tree.StepError("stat", err)
	}
	kind := stat.Mode & syscall.S_IFMT
	if kind != syscall.S_IFDIR && kind != syscall.S_IFREG {
		return -1, false, errNoPart
	}
	mount, err = linux.CloneMount(place, "", false)
	return mount, kind == syscall.S_IFREG, err
}

// errNoPart is a part of a volume or of an image that cannot be mounted.
var errNoPart = errors.New("the part is neither a directory nor a regular file")

func openData(top int, m spec.Mount) (int, error) {
	err := syscall.Mkdirat(top, dataName, 0o755)
	if err != nil && err != syscall.EEXIST && err != syscall.EROFS {
		return -1, tree.StepError("make a directory", err)
	}
	data, err := tree.OpenDirectory(top, dataName)
	if err != nil || m.Subpath == nil {
		return data, err
	}
	defer syscall.Close(data)
	return linux.OpenAt(data, *m.Subpath, linux.OPath, 0, linux.Beneath|linux.NoMagicLinks)
}
