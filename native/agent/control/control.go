// Package control is the guest's end of the control stream: one virtio-serial port, or one vsock
// port, and one host at a time.
package control

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"

	"a3s.dev/box/agent/uevent"
)

// Name is the host's name for the port.
const Name = "a3s.control"

// vsockDriver has an entry for the vsock device of a guest that has one.
const vsockDriver = "/sys/bus/virtio/drivers/vmw_vsock_virtio_transport"

// Open waits for the device that this guest has for the control stream, and listens on it. A guest
// has either the virtio-serial port of this name, or vsock.
func Open(deadline time.Duration) (net.Listener, error) {
	device, err := uevent.Wait(deadline, func() (string, bool, error) {
		device, err := findPort(Name)
		if device == "" && err == nil && isBound(vsockDriver) {
			device = vsockDriver
		}
		return device, device != "", err
	})
	switch {
	case err != nil:
		return nil, fmt.Errorf("find the port %s: %w", Name, err)
	case device == vsockDriver:
		return ListenVsock(VsockPort)
	default:
		return Listen(device)
	}
}

// isBound is whether a driver of virtio has a device.
func isBound(driver string) bool {
	devices, err := filepath.Glob(driver + "/virtio*")
	return err == nil && len(devices) > 0
}

// Find waits for the port of a name and returns its device file.
func Find(port string, deadline time.Duration) (string, error) {
	return uevent.Wait(deadline, func() (string, bool, error) {
		device, err := findPort(port)
		return device, device != "", err
	})
}

// findPort returns the device file of the port of a name, or nothing.
func findPort(port string) (string, error) {
	const ports = "/sys/class/virtio-ports"
	entries, err := os.ReadDir(ports)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return "", err
	}
	for _, entry := range entries {
		name, err := os.ReadFile(ports + "/" + entry.Name() + "/name")
		if err == nil && strings.TrimSpace(string(name)) == port {
			return "/dev/" + entry.Name(), nil
		}
	}
	return "", nil
}
