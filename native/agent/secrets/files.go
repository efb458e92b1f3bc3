package secrets

import (
	"errors"
	"os"
	"strconv"
	"sync"
	"syscall"

	"a3s.dev/box/agent/linux"
	"a3s.dev/box/agent/users"
)

// Directory is where the box finds its secrets.
const Directory = "/run/secrets"

// What the filesystem can hold: every secret that a launch spec can name, in whole pages, with the
// value before and the next one, and nothing to speak of besides.
const (
	maxFiles  = 3*64 + 8
	maxMemory = maxFiles * (MaxValue + 4096)
)

// Files is a filesystem in the guest's memory, never swapped, that holds secrets as files.
type Files struct {
	mount int
	mu    sync.Mutex
	// written are open, so that they are found even where the box has renamed or removed them: of
	// each secret the file, and behind it the next one that took its place.
	written map[string][]*os.File
}

// NewFiles makes the filesystem, which is attached nowhere yet.
func NewFiles() (*Files, error) {
	mount, err := linux.NewMount("tmpfs", linux.Nodev|linux.Nosuid|linux.Noexec,
		linux.Option{Key: "source", Value: "secrets"},
		linux.Option{Key: "mode", Value: "0755"},
		linux.Option{Key: "size", Value: strconv.Itoa(maxMemory)},
		linux.Option{Key: "nr_inodes", Value: strconv.Itoa(maxFiles)},
		linux.Option{Key: "noswap"},
	)
	if err != nil {
		return nil, err
	}
	return &Files{mount: mount, written: map[string][]*os.File{}}, nil
}

// Mount is open on the filesystem, for the box to attach to Directory before its main process
// starts. It stays the Files' own.
func (f *Files) Mount() int { return f.mount }

// write makes a file that its owner alone can read. Its name is one of a launch spec, which has no
// slash in it.
func (f *Files) write(name string, value []byte, owner users.User) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	file, err := f.create(name)
	if err != nil {
		return err
	}
	f.written[name] = append(f.written[name], file)
	return fill(file, value, owner)
}

func (f *Files) create(name string) (*os.File, error) {
	fd, err := linux.OpenAt(f.mount, name, syscall.O_CREAT|syscall.O_EXCL|syscall.O_RDWR, 0o400, linux.Beneath|linux.NoSymlinks)
	if err != nil {
		return nil, err
	}
	return os.NewFile(uintptr(fd), Directory+"/"+name), nil
}

func fill(file *os.File, value []byte, owner users.User) error {
	if _, err := file.WriteAt(value, 0); err != nil {
		return err
	}
	if err := file.Chmod(0o400); err != nil {
		return err
	}
	return file.Chown(int(owner.UID), int(owner.GID))
}

// wipe overwrites what the files hold where the secrets were written, and empties them.
func (f *Files) wipe() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	var failed error
	for _, files := range f.written {
		for _, file := range files {
			failed = errors.Join(failed, drop(file))
		}
	}
	clear(f.written)
	return failed
}

// drop overwrites what a file holds, and closes it.
func drop(file *os.File) error {
	return errors.Join(overwrite(file), file.Truncate(0), file.Close())
}

func overwrite(file *os.File) error {
	info, err := file.Stat()
	if err != nil {
		return err
	}
	// Its owner may have made it larger.
	_, err = file.WriteAt(make([]byte, min(info.Size(), MaxValue)), 0)
	return err
}

// Close lets go of the filesystem, which ends with the box's namespace.
func (f *Files) Close() error { return errors.Join(f.wipe(), syscall.Close(f.mount)) }
