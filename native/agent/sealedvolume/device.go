package sealedvolume

import (
	"errors"
	"io"
	"os"

	"a3s.dev/box/agent/dm"
	"a3s.dev/box/agent/ext4"
	"a3s.dev/box/agent/linux"
)

// OpenDevice opens the volume on a disk of the guest's. name is of the encrypted device.
func OpenDevice(name, path string, sealer Sealer, terms Terms) (*Volume, error) {
	file, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return nil, err
	}
	v, err := Open(device{file}, sealer, &kept{name, path}, terms)
	if err == nil && v.Handle != nil {
		// It writes to the file, and closes it.
		v.Handle.(*handle).closed = file.Close
		return v, nil
	}
	return v, errors.Join(err, file.Close())
}

type device struct{ *os.File }

func (d device) Size() (int64, error) { return d.Seek(0, io.SeekEnd) }

// kept makes encrypted devices of the kernel's.
type kept struct{ name, path string }

func (k *kept) Open(keys *dm.KeptKeys) (string, error) {
	made, err := dm.OpenKept(k.name, k.path, keys)
	if err != nil {
		return "", err
	}
	return made.Path, nil
}

func (k *kept) Format(keys *dm.KeptKeys) (string, error) {
	made, err := dm.FormatKept(k.name, k.path, keys)
	if err != nil {
		return "", err
	}
	if err := format(made); err != nil {
		return "", errors.Join(err, made.Remove())
	}
	return made.Path, nil
}

func format(made *dm.Encrypted) error {
	var seed ext4.Seed
	for _, part := range [][]byte{seed.UUID[:], seed.Hash[:]} {
		if err := linux.Secret(part); err != nil {
			return err
		}
	}
	file, err := os.OpenFile(made.Path, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	err = ext4.FormatJournaled(file, made.Bytes, seed)
	return errors.Join(err, file.Sync(), file.Close())
}
