package files

import (
	"archive/tar"
	"errors"
	"strings"
	"syscall"
	"time"

	"a3s.dev/box/agent/box/tree"
	"a3s.dev/box/agent/linux"
)

// paxAttribute begins the records of extended attributes.
const paxAttribute = "SCHILY.xattr."

// attributes sets owner, extended attributes, mode and times, in this order: a change of the owner
// takes set-id bits and capabilities away. The descriptor may be open with OPath.
func (e *extraction) attributes(fd int, header *tar.Header) error {
	at := tree.ByDescriptor(fd)
	uid, gid := header.Uid, header.Gid
	if e.options.Owner != nil {
		uid, gid = int(e.options.Owner.UID), int(e.options.Owner.GID)
	}
	if err := syscall.Chown(at, uid, gid); err != nil {
		return &linux.Error{Op: "chown", Errno: err.(syscall.Errno)}
	}
	if err := setExtended(at, header); err != nil {
		return err
	}
	// A link has no mode.
	if header.Typeflag != tar.TypeSymlink {
		if err := syscall.Chmod(at, uint32(header.Mode)&0o7777); err != nil {
			return &linux.Error{Op: "chmod", Errno: err.(syscall.Errno)}
		}
	}
	return setTime(at, header.ModTime)
}

// setExtended sets those that mean the same in every box: capabilities, and the user's own. As in
// Docker, a filesystem need not take them.
func setExtended(at string, header *tar.Header) error {
	for key, value := range header.PAXRecords {
		name, found := strings.CutPrefix(key, paxAttribute)
		if !found || name != capabilityAttribute && !strings.HasPrefix(name, "user.") {
			continue
		}
		err := syscall.Setxattr(at, name, []byte(value), 0)
		if err != nil && err != syscall.EOPNOTSUPP && err != syscall.EPERM {
			return &linux.Error{Op: "set the extended attribute", On: name, Errno: err.(syscall.Errno)}
		}
	}
	return nil
}

func setTime(at string, modified time.Time) error {
	// A time before 1970 is a header's without one.
	if modified.Unix() < 0 {
		modified = time.Unix(0, 0)
	}
	spec := syscall.Timespec{Sec: modified.Unix(), Nsec: int64(modified.Nanosecond())}
	if err := syscall.UtimesNano(at, []syscall.Timespec{spec, spec}); err != nil {
		return &linux.Error{Op: "set the time", Errno: err.(syscall.Errno)}
	}
	return nil
}

// directoryTimes has the directories that the extraction is in, each with the time that it gets
// when the extraction leaves it.
type directoryTimes []directoryTime

type directoryTime struct {
	name     string
	modified time.Time
}

func (d *directoryTimes) enter(name string, modified time.Time) error {
	if len(*d) >= maxDepth {
		return &Error{CodeInvalid, "too many directories in each other at " + name}
	}
	*d = append(*d, directoryTime{name, modified})
	return nil
}

// leave sets the times of the directories that an entry is not in.
func (d *directoryTimes) leave(e *extraction, name string) error {
	for len(*d) > 0 {
		last := (*d)[len(*d)-1]
		if strings.HasPrefix(name, last.name+"/") {
			return nil
		}
		*d = (*d)[:len(*d)-1]
		fd, err := linux.OpenAt(e.into, last.name, linux.OPath|syscall.O_DIRECTORY, 0, e.walk)
		switch {
		case errors.Is(err, syscall.ENOENT) || errors.Is(err, syscall.ENOTDIR):
			// A process of the box was faster.
			continue
		case err != nil:
			return e.wrap(last.name, err)
		}
		err = setTime(tree.ByDescriptor(fd), last.modified)
		syscall.Close(fd)
		if err != nil {
			return e.wrap(last.name, err)
		}
	}
	return nil
}

// addUserAttributes adds the extended attributes in the user namespace, except names that an
// archive cannot hold. It leaves out those of an overlay without privileges: an overlay over the
// layer would obey them. The buffer has room for all names; the kernel allows 64 KiB of them.
func addUserAttributes(header *tar.Header, fd int, buffer []byte) error {
	n, err := syscall.Listxattr(tree.ByDescriptor(fd), buffer)
	if err == syscall.EOPNOTSUPP {
		return nil
	}
	if err != nil {
		return pathErrno("list the extended attributes of", header.Name, err)
	}
	for name := range strings.SplitSeq(string(buffer[:n]), "\x00") {
		if !strings.HasPrefix(name, "user.") || strings.HasPrefix(name, "user.overlay.") || strings.Contains(name, "=") {
			continue
		}
		n, err := syscall.Getxattr(tree.ByDescriptor(fd), name, buffer)
		if err == syscall.ENODATA {
			continue
		}
		if err != nil {
			return pathErrno("read the extended attribute "+name+" of", header.Name, err)
		}
		if header.PAXRecords == nil {
			header.PAXRecords = map[string]string{}
		}
		header.PAXRecords[paxAttribute+name] = string(buffer[:n])
	}
	return nil
}
