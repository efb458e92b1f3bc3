package dm

import (
	"encoding/hex"
	"errors"
	"io"
	"os"
	"strconv"
	"syscall"

	"a3s.dev/box/agent/linux"
)

const (
	blockBytes = 4096
	// fanout is how many digests a hash block holds.
	fanout = blockBytes / 32
	// maxBytes is more than any disk has, and so small that no sum here overflows.
	maxBytes = 1 << 50
)

// Verity is how the blocks of a device are checked: dm-verity in format 1, SHA-256, blocks of 4096
// bytes, no superblock, and a tree that begins where the data ends.
type Verity struct {
	// Bytes of data.
	Bytes int64
	Root  [32]byte
	Salt  [32]byte
}

// VerityError says that a device has other content than its root hash says.
type VerityError struct {
	Reason string
	Cause  error
}

func (e *VerityError) Error() string {
	if e.Cause == nil {
		return e.Reason
	}
	return e.Reason + ": " + e.Cause.Error()
}
func (e *VerityError) Unwrap() error { return e.Cause }

// Check says whether there can be such a tree.
func (v *Verity) Check() error {
	if v.Bytes < blockBytes || v.Bytes%blockBytes != 0 || v.Bytes > maxBytes {
		return &VerityError{Reason: strconv.FormatInt(v.Bytes, 10) + " bytes of data have no hash tree"}
	}
	return nil
}

// treeBytes is the length of the tree. Check has passed.
func (v *Verity) treeBytes() int64 {
	var tree int64
	for blocks := v.Bytes / blockBytes; blocks > 1; {
		blocks = (blocks + fanout - 1) / fanout
		tree += blocks * blockBytes
	}
	return tree
}

// target reads nothing but what has its digest. What has not is an I/O error, as the failing disk
// is that a host can always show instead: to end the guest would protect nothing more, and would
// hide from its owner which layer was touched. Blocks of zeros are checked too, and every block
// each time that it comes from the disk: it may have changed meanwhile.
func (v *Verity) target(device string) Target {
	blocks := strconv.FormatInt(v.Bytes/blockBytes, 10)
	return Target{
		Sectors: uint64(v.Bytes / SectorBytes), Kind: "verity",
		Params: []byte("1 " + device + " " + device + " 4096 4096 " + blocks + " " + blocks + " sha256 " +
			hex.EncodeToString(v.Root[:]) + " " + hex.EncodeToString(v.Salt[:])),
	}
}

// OpenVerity makes a read-only device of what has the tree, and reads its first block: with it the
// root was compared.
func OpenVerity(name, device string, v *Verity) (Device, error) {
	if err := v.Check(); err != nil {
		return Device{}, err
	}
	size, err := sizeOf(device)
	if err != nil {
		return Device{}, err
	}
	if want := v.Bytes + v.treeBytes(); size < want {
		return Device{}, &VerityError{
			Reason: "the disk has " + strconv.FormatInt(size, 10) + " bytes, data and hash tree have " + strconv.FormatInt(want, 10),
		}
	}
	made, err := Create(name, flagReadonly, v.target(device))
	if err != nil {
		return Device{}, err
	}
	if err := readFirst(made.Path); err != nil {
		return Device{}, errors.Join(err, made.Remove())
	}
	return made, nil
}

// readFirst goes down from the root to the first block.
func readFirst(path string) error {
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer file.Close()
	if _, err := io.ReadFull(file, make([]byte, blockBytes)); err != nil {
		return &VerityError{"the disk has another root", err}
	}
	return nil
}

// sizeOf asks the kernel for the length of a block device.
func sizeOf(path string) (int64, error) {
	fd, err := linux.OpenAt(-1, path, syscall.O_RDONLY, 0, 0)
	if err != nil {
		return 0, err
	}
	defer syscall.Close(fd)
	return syscall.Seek(fd, 0, io.SeekEnd)
}
