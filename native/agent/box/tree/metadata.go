package tree

import (
	"strings"
	"syscall"

	"a3s.dev/box/agent/linux"
)

// attributes copies what a file has besides its content. Its buffers hold the longest list of
// names, and the longest value, that Linux has.
type attributes struct{ list, value [64 << 10]byte }

// copy copies owner, extended attributes, mode and times, in this order: a change of the owner
// takes set-id bits and attributes away. The descriptors may be open with OPath.
func (a *attributes) copy(source, target int) error {
	var stat syscall.Stat_t
	if err := syscall.Fstat(source, &stat); err != nil {
		return StepError("stat", err)
	}
	path := ByDescriptor(target)
	if err := syscall.Chown(path, int(stat.Uid), int(stat.Gid)); err != nil {
		return StepError("chown", err)
	}
	if err := a.copyExtended(ByDescriptor(source), path); err != nil {
		return err
	}
	// A link has no mode.
	if stat.Mode&syscall.S_IFMT != syscall.S_IFLNK {
		if err := syscall.Chmod(path, stat.Mode&0o7777); err != nil {
			return StepError("chmod", err)
		}
	}
	return StepError("set the times", syscall.UtimesNano(path, []syscall.Timespec{stat.Atim, stat.Mtim}))
}

// copyExtended leaves out those of the box's overlay, and those that the volume's filesystem does
// not take. It refuses capabilities, which the file server may not set, and access control lists
// that the filesystem does not take: the mode alone could permit more.
func (a *attributes) copyExtended(source, target string) error {
	n, err := syscall.Listxattr(source, a.list[:])
	if err == syscall.EOPNOTSUPP {
		return nil
	}
	if err != nil {
		return StepError("list extended attributes", err)
	}
	for name := range strings.SplitSeq(strings.TrimSuffix(string(a.list[:n]), "\x00"), "\x00") {
		switch {
		case name == "" || strings.HasPrefix(name, "trusted.overlay."):
			continue
		case name == "security.capability":
			return ErrCapability
		}
		n, err := syscall.Getxattr(source, name, a.value[:])
		if err != nil {
			return &linux.Error{Op: "read the extended attribute", On: name, Errno: err.(syscall.Errno)}
		}
		err = syscall.Setxattr(target, name, a.value[:n], 0)
		if err == syscall.EOPNOTSUPP && !strings.HasPrefix(name, "system.posix_acl_") {
			continue
		}
		if err != nil {
			return &linux.Error{Op: "set the extended attribute", On: name, Errno: err.(syscall.Errno)}
		}
	}
	return nil
}
