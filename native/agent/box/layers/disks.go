package layers

import (
	"errors"
	"os"
	"strings"
	"time"

	"a3s.dev/box/agent/uevent"
)

// AttachDeadline is the time that a device has to appear; under emulation on a busy host a plug
// takes seconds.
const AttachDeadline = 30 * time.Second

// AwaitDisks returns the device files of all disks by serial, once those with these serials exist.
// look has the kernel look for disks of which it gets no notice; nil where it gets one.
func AwaitDisks(serials []string, look func() error) (map[string]string, error) {
	missing := ""
	disks, err := uevent.Wait(AttachDeadline, func() (map[string]string, bool, error) {
		if look != nil {
			if err := look(); err != nil {
				return nil, false, err
			}
		}
		disks, err := ListDisks()
		if err != nil {
			return nil, false, err
		}
		for _, serial := range serials {
			if disks[serial] == "" {
				missing = serial
				return nil, false, nil
			}
		}
		return disks, true, nil
	})
	if errors.Is(err, uevent.ErrDeadline) {
		return nil, &DeviceError{"disk", missing, err}
	}
	return disks, err
}

// ListDisks returns the device files of disks by serial. It leaves out disks that have no serial or
// are being detached.
func ListDisks() (map[string]string, error) {
	entries, err := os.ReadDir("/sys/block")
	if err != nil {
		return nil, err
	}
	if names != nil {
		return listByOrder("/sys/block", names)
	}
	disks := map[string]string{}
	for _, entry := range entries {
		serial, err := os.ReadFile("/sys/block/" + entry.Name() + "/serial")
		if err != nil {
			continue
		}
		device := "/dev/" + entry.Name()
		if _, err := os.Stat(device); err == nil {
			disks[strings.TrimSpace(string(serial))] = device
		}
	}
	return disks, nil
}

// DeviceError names a device that did not appear, or could not be used.
type DeviceError struct {
	Kind, Name string
	Cause      error
}

// NewDeviceError returns a DeviceError.
func NewDeviceError(kind, name string, cause error) error { return &DeviceError{kind, name, cause} }

// Error names the device and the cause.
func (e *DeviceError) Error() string { return e.Kind + " " + e.Name + ": " + e.Cause.Error() }

// Unwrap returns the cause.
func (e *DeviceError) Unwrap() error { return e.Cause }
