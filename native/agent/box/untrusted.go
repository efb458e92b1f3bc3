package box

import (
	"errors"
	"os"
	"syscall"
	"unsafe"

	"a3s.dev/box/agent/dm"
	"a3s.dev/box/agent/ext4"
	"a3s.dev/box/agent/linux"
)

// errBelieves is a spec that holds its host to one thing and takes its word for another.
var errBelieves = errors.New("a box whose layers are checked takes nothing else of its host unchecked")

// believe refuses a spec in which some of what the host gives is checked and some is not. A launch spec is never one.
func (s *Spec) believe() error {
	checked := 0
	for _, layer := range s.Rootfs.Layers {
		if layer.Verity != nil {
			checked++
		}
	}
	changes := s.Rootfs.Changes.Kind
	switch {
	case checked == 0 && changes != ChangesEncrypted:
		return nil
	case checked < len(s.Rootfs.Layers) || changes == ChangesDisk || len(s.Mounts) > 0:
		return errBelieves
	}
	return nil
}

// device is what the layer is mounted from: the disk, or a device that gives nothing of it but what was checked.
func (l *Layer) device(disk string) (string, error) {
	if l.Verity == nil {
		return disk, nil
	}
	device, err := dm.OpenVerity(l.Serial, disk, &dm.Verity{Bytes: l.Verity.Bytes, Root: l.Verity.Root, Salt: l.Verity.Salt})
	return device.Path, err
}

// explain tells a layer that was tampered with from one that cannot be mounted.
func (l *Layer) explain(err error) error {
	if l.Verity != nil && errors.Is(err, syscall.EIO) {
		return &dm.VerityError{Reason: "a block of the disk is not what the hash tree says", Cause: err}
	}
	return err
}

// encryptedOptions read no inode ahead besides: it may never have been written, and then is no ciphertext.
const encryptedOptions = diskOptions + ",inode_readahead_blks=0"

// mountEncrypted makes an encrypted disk, whatever the host has put on it, with a new filesystem. Its key dies with the guest.
func mountEncrypted(disk string) error {
	encrypted, err := dm.Encrypt("changes", disk)
	if err != nil {
		return err
	}
	err = format(encrypted)
	if err == nil {
		err = syscall.Mount(encrypted.Path, changesDir, "ext4", diskFlags, encryptedOptions)
	}
	if err != nil {
		return errors.Join(err, encrypted.Remove())
	}
	return nil
}

func format(encrypted *dm.Encrypted) error {
	var seed ext4.Seed
	for _, part := range [][]byte{seed.UUID[:], seed.Hash[:]} {
		if err := linux.Secret(part); err != nil {
			return err
		}
	}
	device, err := os.OpenFile(encrypted.Path, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	err = ext4.Format(device, encrypted.Bytes, seed)
	return errors.Join(err, device.Sync(), device.Close())
}

// abandonChanges ends the filesystem on an encrypted disk, whatever of it is in memory only: nobody could read what would be written now.
func abandonChanges() error {
	// EXT4_IOC_SHUTDOWN, with EXT4_GOING_FLAGS_NOLOGFLUSH.
	const shutdown, withoutLog = 0x8004587d, 2
	fd, err := linux.OpenAt(-1, changesDir, syscall.O_RDONLY|syscall.O_DIRECTORY, 0, 0)
	if err != nil {
		return err
	}
	flags := uint32(withoutLog)
	return errors.Join(linux.Ioctl(fd, shutdown, unsafe.Pointer(&flags)), syscall.Close(fd))
}
