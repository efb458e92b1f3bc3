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
// on it. Its key ends with the guest. The host chooses how large the disk is, so what was asked for
// bounds the filesystem.
func mountEncrypted(dir, disk string, asked *int64) error {
	encrypted, err := dm.Encrypt("changes", disk)
	if err != nil {
		return err
	}
	var bytes int64
	if bytes, err = sizeWithin(asked, encrypted.Bytes); err == nil {
		err = format(encrypted.Path, bytes)
	}
	if err == nil {
		err = syscall.Mount(encrypted.Path, dir, "ext4", DiskFlags, EncryptedOptions)
	}
	if err != nil {
		return errors.Join(err, encrypted.Remove())
	}
	return nil
}

func format(path string, bytes int64) error {
	var seed ext4.Seed
	for _, part := range [][]byte{seed.UUID[:], seed.Hash[:]} {
		if err := linux.Secret(part); err != nil {
			return err
		}
	}
	device, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	err = ext4.Format(device, bytes, seed)
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
