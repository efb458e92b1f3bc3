package linux

import (
	"runtime"
	"strings"
	"syscall"
	"unsafe"
)

// Attributes of a mount, linux/mount.h.
const (
	Readonly uint64 = 0x1
	Nosuid   uint64 = 0x2
	Nodev    uint64 = 0x4
	Noexec   uint64 = 0x8
	Noatime  uint64 = 0x10
	// Strictatime excludes Noatime. relatime has no flag: it applies without either.
	Strictatime uint64 = 0x20
	Nodiratime  uint64 = 0x80
)

const (
	fsconfigSetFlag   = 0
	fsconfigSetString = 1
	fsconfigCreate    = 6

	atEmptyPath = 0x1000
	atRecursive = 0x8000

	moveMountFromEmpty = 0x4
	moveMountToEmpty   = 0x40

	openTreeClone = 1
)

// Option is a parameter of a filesystem; an empty value makes it a flag.
type Option struct{ Key, Value string }

// NewMount makes a filesystem and a mount of it that is attached nowhere yet, and returns its
// descriptor.
func NewMount(kind string, attributes uint64, options ...Option) (int, error) {
	name, err := cstring(kind)
	if err != nil {
		return -1, err
	}
	context, errno := call(sysFsopen, uintptr(unsafe.Pointer(name)), 1, 0, 0, 0, 0)
	if errno != 0 {
		return -1, failed("fsopen", kind, errno)
	}
	defer syscall.Close(int(context))
	for _, option := range options {
		if err := configure(context, option); err != nil {
			return -1, explain(context, kind, err)
		}
	}
	if _, errno := call(sysFsconfig, context, fsconfigCreate, 0, 0, 0, 0); errno != 0 {
		return -1, explain(context, kind, failed("mount", kind, errno))
	}
	mount, errno := call(sysFsmount, context, 1, uintptr(attributes), 0, 0, 0)
	if errno != 0 {
		return -1, explain(context, kind, failed("fsmount", kind, errno))
	}
	return int(mount), nil
}

func configure(context uintptr, option Option) error {
	key, err := cstring(option.Key)
	if err != nil {
		return err
	}
	if option.Value == "" {
		_, errno := call(sysFsconfig, context, fsconfigSetFlag, uintptr(unsafe.Pointer(key)), 0, 0, 0)
		runtime.KeepAlive(key)
		return failed("mount option", option.Key, errno)
	}
	value, err := cstring(option.Value)
	if err != nil {
		return err
	}
	_, errno := call(sysFsconfig, context, fsconfigSetString, uintptr(unsafe.Pointer(key)), uintptr(unsafe.Pointer(value)), 0, 0)
	runtime.KeepAlive(key)
	runtime.KeepAlive(value)
	return failed("mount option", option.Key, errno)
}

// MountError is a refusal with the kernel's own words, where it said any.
type MountError struct {
	Cause  error
	Kernel string
}

func (e *MountError) Error() string { return e.Cause.Error() + " (" + e.Kernel + ")" }
func (e *MountError) Unwrap() error { return e.Cause }

// explain adds the messages that the kernel left in the filesystem context.
func explain(context uintptr, kind string, cause error) error {
	var lines []string
	for len(lines) < 8 {
		buffer := make([]byte, 512)
		n, err := syscall.Read(int(context), buffer)
		if err != nil || n <= 0 {
			break
		}
		lines = append(lines, strings.TrimSpace(string(buffer[:n])))
	}
	if len(lines) == 0 {
		return cause
	}
	return &MountError{Cause: cause, Kernel: kind + ": " + strings.Join(lines, "; ")}
}

// Attach puts a mount on top of the file or directory that target is open on.
func Attach(mount, target int) error {
	var empty byte
	_, errno := call(sysMoveMount, uintptr(mount), uintptr(unsafe.Pointer(&empty)), uintptr(target), uintptr(unsafe.Pointer(&empty)),
		moveMountFromEmpty|moveMountToEmpty, 0)
	return failed("move_mount", "", errno)
}

// CloneMount makes a detached mount of the one file or directory that path names below dir, and of
// what is mounted below it when recursive. An empty path is dir itself.
func CloneMount(dir int, path string, recursive bool) (int, error) {
	name, err := cstring(path)
	if err != nil {
		return -1, err
	}
	flags := uintptr(openTreeClone | syscall.O_CLOEXEC)
	if path == "" {
		flags |= atEmptyPath
	}
	if recursive {
		flags |= atRecursive
	}
	mount, errno := call(sysOpenTree, uintptr(dir), uintptr(unsafe.Pointer(name)), flags, 0, 0, 0)
	if errno != 0 {
		return -1, failed("open_tree", path, errno)
	}
	return int(mount), nil
}

// mountAttributes is struct mount_attr: what to set, then what to clear, the propagation and a user
// namespace.
type mountAttributes struct {
	set         uint64
	_           uint64
	propagation uint64
	_           uint64
}

// SetAttributes adds attributes to a mount, and to all below it when recursive.
func SetAttributes(mount int, attributes uint64, recursive bool) error {
	flags := uintptr(atEmptyPath)
	if recursive {
		flags |= atRecursive
	}
	return setAttributes(mount, mountAttributes{set: attributes}, flags)
}

// MakePrivate takes a mount, such as a clone of a shared one, out of its peer group.
func MakePrivate(mount int) error {
	return setAttributes(mount, mountAttributes{propagation: syscall.MS_PRIVATE}, atEmptyPath)
}

func setAttributes(mount int, change mountAttributes, flags uintptr) error {
	var empty byte
	_, errno := call(sysMountSetattr, uintptr(mount), uintptr(unsafe.Pointer(&empty)), flags, uintptr(unsafe.Pointer(&change)), unsafe.Sizeof(change), 0)
	return failed("mount_setattr", "", errno)
}
