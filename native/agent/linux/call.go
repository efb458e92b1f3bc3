// Package linux holds the system calls that package syscall does not know, as small typed
// functions.
//
// Every function acts on the calling thread where the kernel does: credentials, namespaces and
// filters belong to threads, so callers lock theirs.
package linux

import (
	"syscall"
)

// Newer system calls have equal numbers on all architectures. Those of older ones that package
// syscall lacks on one architecture are in unistd_amd64.go and unistd_arm64.go.
//
// All of the agent's code is the same on both architectures, except for constants in such files
// and the assembly of the init.
const (
	sysKeyctl = syscall.SYS_KEYCTL

	sysOpenTree     = 428
	sysMoveMount    = 429
	sysFsopen       = 430
	sysFsconfig     = 431
	sysFsmount      = 432
	sysCloseRange   = 436
	sysOpenat2      = 437
	sysFaccessat2   = 439
	sysMountSetattr = 442
)

// Error is a system call that failed on something.
type Error struct {
	Op    string
	On    string
	Errno syscall.Errno
}

func (e *Error) Error() string {
	if e.On == "" {
		return e.Op + ": " + e.Errno.Error()
	}
	return e.Op + " " + e.On + ": " + e.Errno.Error()
}

func (e *Error) Unwrap() error { return e.Errno }

func failed(op, on string, errno syscall.Errno) error {
	if errno == 0 {
		return nil
	}
	return &Error{Op: op, On: on, Errno: errno}
}

// call retries a system call that a signal of the Go scheduler interrupted. Pointers have to be
// converted in the list of its arguments: the directive then keeps what they point to on the heap.
// A stack may move before the kernel has written to it.
//
//go:uintptrescapes
func call(number, a, b, c, d, e, f uintptr) (uintptr, syscall.Errno) {
	for {
		result, _, errno := syscall.Syscall6(number, a, b, c, d, e, f)
		if errno != syscall.EINTR {
			return result, errno
		}
	}
}

func cstring(text string) (*byte, error) {
	pointer, err := syscall.BytePtrFromString(text)
	if err != nil {
		return nil, &Error{Op: "encode", On: text, Errno: syscall.EINVAL}
	}
	return pointer, nil
}
