// Package control is the guest's end of the control stream: one virtio-serial port, one host at a
// time.
package control

import (
	"errors"
	"os"
	"strings"
	"time"

	"a3s.dev/box/agent/uevent"
)

// Name is the host's name for the port.
const Name = "a3s.control"

// Find waits for the port of a name and returns its device file.
func Find(port string, deadline time.Duration) (string, error) {
	const ports = "/sys/class/virtio-ports"
	return uevent.Wait(deadline, func() (string, bool, error) {
		entries, err := os.ReadDir(ports)
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			return "", false, err
		}
		for _, entry := range entries {
			name, err := os.ReadFile(ports + "/" + entry.Name() + "/name")
			if err == nil && strings.TrimSpace(string(name)) == port {
				return "/dev/" + entry.Name(), true, nil
			}
		}
		return "", false, nil
	})
}
