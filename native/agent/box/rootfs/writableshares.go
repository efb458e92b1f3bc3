package rootfs

import (
	"errors"
	"os"
	"path"
	"strings"
	"syscall"

	"a3s.dev/box/agent/box/rootdir"
	"a3s.dev/box/agent/box/spec"
	"a3s.dev/box/agent/linux"
)

// Shares are the box's writable shares, by their tags.
type Shares map[string]Share

// Share has two clones of a share's mount. Through them the agent tells watchers in the box of
// changes that the host has made. They are attached nowhere, so mounts and unmounts in the box do
// not change them, and they do not block an unmount in the box.
type Share struct {
	// root is writable. lookups is read-only, so nothing can be made through it.
	root, lookups int
}

// keep keeps a share that is mounted. Through one that is read-only nothing can be touched: its
// file server refuses to set a time. Of several parts of one share, the first is kept.
func (s Shares) keep(m spec.Mount, mount int) error {
	if _, found := s[*m.Tag]; found || m.Readonly {
		return nil
	}
	share, err := newShare(mount)
	if err != nil {
		return err
	}
	s[*m.Tag] = share
	return nil
}

// Close lets go of the shares of a container. Those of a box stay until the guest ends.
func (s Shares) Close() error {
	var err error
	for tag, share := range s {
		err = errors.Join(err, syscall.Close(share.root), syscall.Close(share.lookups))
		delete(s, tag)
	}
	return err
}

// newShare clones a mount, which is attached in the mount namespace of the calling thread.
func newShare(mount int) (Share, error) {
	root, err := rootdir.ClonePrivate(mount)
	if err != nil {
		return Share{}, err
	}
	lookups, err := rootdir.ClonePrivate(mount)
	if err != nil {
		return Share{}, errors.Join(err, syscall.Close(root))
	}
	if err := linux.SetAttributes(lookups, linux.Readonly, false); err != nil {
		return Share{}, errors.Join(err, syscall.Close(root), syscall.Close(lookups))
	}
	return Share{root, lookups}, nil
}

// Touch makes the kernel tell the watchers of a path, and of its directory, that the host has
// changed the path. The path is relative; an empty one is the root of the share. Of a path that is
// gone, the nearest directory that is left is touched.
//
// It sets the time of the last modification to the value that it has. The kernel then reports
// IN_MODIFY, as it does for a write, and no data changes. The kernel has no call that reports and
// sets nothing. A host that writes between the read of the time and its being set loses the newer
// time, by less than a millisecond: the report comes after that write, so no watcher misses the
// data.
func (s Share) Touch(name string) error {
	for {
		err := s.touch(name)
		if name == "" || !isGone(err) {
			return err
		}
		if name = path.Dir(name); name == "." {
			name = ""
		}
	}
}

// isGone says whether a path is missing, or leads through what is no directory any more.
func isGone(err error) bool {
	return errors.Is(err, syscall.ENOENT) || errors.Is(err, syscall.ENOTDIR) || errors.Is(err, syscall.ELOOP)
}

// How a path of a share is walked: through no link, and into no other filesystem.
const inShare = linux.Beneath | linux.NoSymlinks | linux.NoMagicLinks | linux.NoCrossing

func (s Share) touch(name string) error {
	file := s.root
	if name != "" {
		if err := s.lookUp(name); err != nil {
			return err
		}
		var err error
		if file, err = linux.OpenAt(s.root, name, linux.OPath|syscall.O_NOFOLLOW, 0, inShare); err != nil {
			return err
		}
		defer syscall.Close(file)
	}
	modified, err := linux.FreshModified(file)
	if err != nil {
		return err
	}
	return linux.SetModified(file, modified)
}

// lookUp has the kernel ask the file server for each name of a path. Without it the kernel uses
// what it read within the last second, and does not find a file that has replaced another.
//
// Only a call that is to make a name looks it up in any case. On a read-only mount it fails with
// EEXIST for a name that exists, and never makes one.
func (s Share) lookUp(name string) error {
	directory := s.lookups
	names := strings.Split(name, "/")
	for index, each := range names {
		err := syscall.Mkdirat(directory, each, 0)
		var next int
		switch {
		case err == syscall.EROFS:
			err = &linux.Error{Op: "look up", On: name, Errno: syscall.ENOENT}
		case err != syscall.EEXIST:
			err = os.NewSyscallError("mkdirat", err)
		case index == len(names)-1:
			err = nil
		default:
			next, err = linux.OpenAt(directory, each, linux.OPath|syscall.O_DIRECTORY, 0, inShare)
		}
		if directory != s.lookups {
			syscall.Close(directory)
		}
		if err != nil || index == len(names)-1 {
			return err
		}
		directory = next
	}
	return nil
}
