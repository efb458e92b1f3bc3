package secrets

import (
	"bytes"
	"errors"
	"io"
	"os"
	"syscall"

	"a3s.dev/box/agent/users"
)

// Refresh puts another value in place of a secret that was handed over as a file. It returns false
// where the file has that value already. A reader of the file has one of the two values, whole.
func (s *Store) Refresh(name string, value []byte) (bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	entry := s.find(name)
	switch {
	case entry == nil:
		return false, ErrUnknown
	case s.state != Ready || s.ended || s.files == nil:
		return false, ErrNotReady
	}
	if err := entry.check(value); err != nil {
		return false, err
	}
	return s.files.replace(name, value, s.owner)
}

// replace writes a file beside the present one, and gives it that one's name. The value before the
// present one is overwritten; the present one is not yet, since a process may be reading it.
func (f *Files) replace(name string, value []byte, owner users.User) (bool, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	files := f.written[name]
	if len(files) == 0 {
		return false, ErrUnknown
	}
	if holds(files[len(files)-1], value) {
		return false, nil
	}
	// No secret has such a name.
	next := "." + name
	if err := syscall.Unlinkat(f.mount, next); err != nil && !errors.Is(err, syscall.ENOENT) {
		return false, err
	}
	file, err := f.create(next)
	if err != nil {
		return false, err
	}
	err = fill(file, value, owner)
	if err == nil {
		err = syscall.Renameat(f.mount, next, f.mount, name)
	}
	if err != nil {
		return false, errors.Join(err, drop(file), ignoreMissing(syscall.Unlinkat(f.mount, next)))
	}
	files = append(files, file)
	if len(files) > 2 {
		err = drop(files[0])
		files = files[1:]
	}
	f.written[name] = files
	return true, err
}

func holds(file *os.File, value []byte) bool {
	// A byte more tells a longer file.
	present := make([]byte, len(value)+1)
	defer clear(present)
	count, err := file.ReadAt(present, 0)
	return errors.Is(err, io.EOF) && bytes.Equal(present[:count], value)
}

func ignoreMissing(err error) error {
	if errors.Is(err, syscall.ENOENT) {
		return nil
	}
	return err
}
