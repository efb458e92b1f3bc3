package tee

import (
	"errors"
	"fmt"
	"io"
	"os"
	"syscall"
	"time"
	"unsafe"

	"a3s.dev/box/agent/linux"
)

// Open opens the processor of a kind, and no other: a guest that should have a real one and has
// none, has none.
//
// An SNP guest has its reports from configfs where the kernel has a provider there, and from the
// device otherwise; both lead to the same processor. Keys come from the device. simulated is the
// device file of the port; it is not called for where the processor is real.
func Open(kind Kind, simulated func() (string, error)) (Processor, error) {
	switch kind {
	case SNP:
		return openSNP(disk{}, GuestDevice)
	case Simulated:
		path, err := simulated()
		if err != nil {
			return nil, err
		}
		return openPort(path)
	default:
		return nil, fmt.Errorf("there is no secure processor %q", kind)
	}
}

func openPort(path string) (Processor, error) {
	file, err := os.OpenFile(path, os.O_RDWR|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	return newPort(&deviceLines{device: file}), nil
}

// hardware is a real processor: one way to reports, one to keys.
type hardware struct {
	reports interface {
		Report(data [64]byte) (Report, error)
	}
	keys *guestDevice
}

// errNoDevice is a kernel that gives reports, but no keys.
var errNoDevice = errors.New("there is no " + GuestDevice + " to derive keys with")

func (h *hardware) Report(data [64]byte) (Report, error) { return h.reports.Report(data) }

func (h *hardware) DeriveKey(request KeyRequest) ([32]byte, error) {
	if h.keys == nil {
		return [32]byte{}, errNoDevice
	}
	return h.keys.DeriveKey(request)
}

func openSNP(f files, device string) (Processor, error) {
	h := &hardware{}
	fd, err := syscall.Open(device, syscall.O_RDWR|syscall.O_CLOEXEC, 0)
	switch {
	case err == nil:
		h.keys = &guestDevice{device: descriptor(fd)}
		h.reports = h.keys
	case !errors.Is(err, syscall.ENOENT):
		return nil, &os.PathError{Op: "open", Path: device, Err: err}
	}
	reports := &configfs{f, time.Sleep}
	there, err := reports.there()
	if err != nil {
		return nil, err
	}
	if there {
		h.reports = reports
	}
	if h.reports == nil {
		return nil, fmt.Errorf("there is neither a provider in %s nor %s: this is no SEV-SNP guest", ReportsDir, device)
	}
	return h, nil
}

// descriptor is an open device.
type descriptor int

func (d descriptor) Ioctl(request uintptr, argument *[ioctlSize]byte) error {
	return linux.Ioctl(int(d), request, unsafe.Pointer(argument))
}

// disk is the real filesystem.
type disk struct{}

func (disk) Mkdir(path string) error { return os.Mkdir(path, 0o700) }
func (disk) Rmdir(path string) error { return syscall.Rmdir(path) }

// Write writes in one piece: a binary attribute takes what it was given when it is closed.
func (disk) Write(path string, data []byte) error {
	file, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = file.Write(data)
	return errors.Join(err, file.Close())
}

// Read reads to the end: the size that such a file claims means nothing.
func (disk) Read(path string, limit int) ([]byte, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	data, err := io.ReadAll(io.LimitReader(file, int64(limit)+1))
	if err = errors.Join(err, file.Close()); err != nil {
		return nil, err
	}
	if len(data) > limit {
		return nil, fmt.Errorf("%s has more than %d bytes", path, limit)
	}
	return data, nil
}
