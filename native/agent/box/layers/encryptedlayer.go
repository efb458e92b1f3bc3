package layers

import (
	"errors"
	"os"
	"syscall"
	"unsafe"

	"a3s.dev/box/agent/dm"
	"a3s.dev/box/agent/ext4"
	"a3s.dev/box/agent/linux"
)

// EncryptedOptions also keep the kernel from reading inodes ahead: a block that was never written
// is no ciphertext.
const EncryptedOptions = DiskOptions + ",inode_readahead_blks=0"

// mountEncrypted makes an encrypted disk with a new filesystem, and ignores what the host has put
// on it. Its key ends with the guest.
func mountEncrypted(dir, disk string) error {
	encrypted, err := dm.Encrypt("changes", disk)
	if err != nil {
		return err
	}
	err = format(encrypted)
	if err == nil {
		err = syscall.Mount(encrypted.Path, dir, "ext4", DiskFlags, EncryptedOptions)
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

// AbandonChanges shuts the filesystem on an encrypted disk down and drops what is in memory only.
// Data written now could not be read later, since the key ends with the guest.
func AbandonChanges() error {
	// EXT4_IOC_SHUTDOWN, with EXT4_GOING_FLAGS_NOLOGFLUSH.
	const shutdown, withoutLog = 0x8004587d, 2
	fd, err := linux.OpenAt(-1, ChangesDir, syscall.O_RDONLY|syscall.O_DIRECTORY, 0, 0)
	if err != nil {
		return err
	}
	flags := uint32(withoutLog)
	return errors.Join(linux.Ioctl(fd, shutdown, unsafe.Pointer(&flags)), syscall.Close(fd))
}
