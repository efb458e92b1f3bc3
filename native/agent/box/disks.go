package box

import (
	"errors"
	"os"
	"strings"
	"time"

	"a3s.dev/box/agent/uevent"
)

// plugDeadline is the time that a device has to appear; under emulation on a busy host a plug takes seconds.
const plugDeadline = 30 * time.Second

// awaitDisks answers the device files of all disks by serial, once some are there.
func awaitDisks(serials []string) (map[string]string, error) {
	missing := ""
	disks, err := uevent.Wait(plugDeadline, func() (map[string]string, bool, error) {
		disks, err := listDisks()
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
		return nil, &deviceError{"disk", missing, err}
	}
	return disks, err
}

// listDisks leaves out what has no serial or is being unplugged.
func listDisks() (map[string]string, error) {
	entries, err := os.ReadDir("/sys/block")
	if err != nil {
		return nil, err
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

// deviceError names a device that did not appear, or could not be used.
type deviceError struct {
	kind, name string
	cause      error
}

func (e *deviceError) Error() string { return e.kind + " " + e.name + ": " + e.cause.Error() }
func (e *deviceError) Unwrap() error { return e.cause }
