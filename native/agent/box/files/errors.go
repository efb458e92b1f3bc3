package files

import (
	"errors"
	"syscall"

	"a3s.dev/box/agent/linux"
)

// Codes of errors; docs/development/guest-protocol.md.
const (
	CodeInvalid  = "path-invalid"
	CodeMissing  = "path-not-found"
	CodeReadonly = "path-readonly"
	CodeFull     = "disk-full"
)

// Error is a copy that is refused, or that failed. Its text is Docker's where Docker has one.
type Error struct{ Code, Message string }

func (e *Error) Error() string { return e.Message }

// codes maps the system's errors that a user can act on.
var codes = map[syscall.Errno]string{
	syscall.ENOENT: CodeMissing, syscall.EROFS: CodeReadonly, syscall.ENOSPC: CodeFull, syscall.EDQUOT: CodeFull, syscall.ENOTDIR: CodeInvalid,
	syscall.ELOOP: CodeInvalid, syscall.EISDIR: CodeInvalid, syscall.ENAMETOOLONG: CodeInvalid, syscall.EBUSY: CodeInvalid, syscall.EXDEV: CodeInvalid,
	syscall.EFBIG: CodeFull,
}

// pathError names what was done and the path, as Go's own file errors do, which Docker shows.
func pathError(what string, err error) error {
	var own *Error
	var errno syscall.Errno
	if err == nil || errors.As(err, &own) || !errors.As(err, &errno) {
		return err
	}
	code, known := codes[errno]
	if !known {
		return err
	}
	return &Error{code, what + ": " + errno.Error()}
}

// pathErrno names the path in an error of a system call.
func pathErrno(what, name string, err error) error {
	var errno syscall.Errno
	if err == nil || !errors.As(err, &errno) {
		return err
	}
	if mapped := pathError(what+" "+name, errno); mapped != error(errno) {
		return mapped
	}
	return &linux.Error{Op: what, On: name, Errno: errno}
}
