package linux

import (
	"syscall"
	"unsafe"
)

// LinkAt gives a file below one directory a name below another. A symbolic link is not followed.
func LinkAt(from int, name string, to int, newName string) error {
	old, err := cstring(name)
	if err != nil {
		return err
	}
	made, err := cstring(newName)
	if err != nil {
		return err
	}
	_, errno := call(syscall.SYS_LINKAT, uintptr(from), uintptr(unsafe.Pointer(old)), uintptr(to), uintptr(unsafe.Pointer(made)), 0, 0)
	return failed("link", newName, errno)
}

// RemoveDirectoryAt removes an empty directory below dir.
func RemoveDirectoryAt(dir int, name string) error {
	const atRemovedir = 0x200
	path, err := cstring(name)
	if err != nil {
		return err
	}
	_, errno := call(syscall.SYS_UNLINKAT, uintptr(dir), uintptr(unsafe.Pointer(path)), atRemovedir, 0, 0, 0)
	return failed("rmdir", name, errno)
}

// SyncFilesystem writes out the filesystem that fd, which is not open with OPath, is on.
func SyncFilesystem(fd int) error {
	_, errno := call(sysSyncfs, uintptr(fd), 0, 0, 0, 0, 0)
	return failed("syncfs", "", errno)
}
