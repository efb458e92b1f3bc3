package box

import (
	"errors"
	"os"
	"strings"
	"syscall"
	"time"

	"a3s.dev/box/agent/linux"
	"a3s.dev/box/agent/uevent"
)

// plugDeadline is the time that a device has to appear; under emulation on a busy host a plug takes seconds.
const plugDeadline = 30 * time.Second

const diskFlags = syscall.MS_NODEV | syscall.MS_NOATIME

// findDisks waits for disks and answers their device files by serial.
func findDisks(serials []string) (map[string]string, error) {
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

// mountChanges mounts what the box writes to, where the agent can unmount it again.
func mountChanges(changes Changes, disks map[string]string) error {
	if err := os.MkdirAll(changesDir, 0o755); err != nil {
		return err
	}
	var err error
	if changes.Kind == ChangesMemory {
		err = syscall.Mount("tmpfs", changesDir, "tmpfs", diskFlags, "mode=755")
	} else {
		err = syscall.Mount(disks[*changes.Serial], changesDir, "ext4", diskFlags, "errors=remount-ro")
	}
	if err != nil {
		return &deviceError{"changes on", changes.Kind, err}
	}
	for _, dir := range []string{upperDir, workDir} {
		if err := os.Mkdir(dir, 0o755); err != nil && !errors.Is(err, os.ErrExist) {
			return err
		}
	}
	return nil
}

// mountLayers mounts the layers below layersDir and answers where, lowest first.
func mountLayers(layers []Layer, disks map[string]string) ([]string, error) {
	var paths []string
	for index, layer := range layers {
		path := layersDir + "/" + itoa(index)
		if err := os.MkdirAll(path, 0o755); err != nil {
			return nil, err
		}
		if err := syscall.Mount(disks[layer.Serial], path, "erofs", syscall.MS_RDONLY|diskFlags, ""); err != nil {
			return nil, &deviceError{"layer", layer.Serial, err}
		}
		paths = append(paths, path)
	}
	return paths, nil
}

// mountOverlay answers the overlay's detached mount. `lowerdir+` takes one layer at a time, topmost first, so that their number
// is not bounded by a page of mount options.
func mountOverlay(layers []string) (int, error) {
	options := []linux.Option{{Key: "source", Value: "overlay"}}
	for index := len(layers) - 1; index >= 0; index-- {
		options = append(options, linux.Option{Key: "lowerdir+", Value: layers[index]})
	}
	options = append(options,
		linux.Option{Key: "upperdir", Value: upperDir},
		linux.Option{Key: "workdir", Value: workDir},
		// A layer must not point into another one by an xattr of its own.
		linux.Option{Key: "redirect_dir", Value: "nofollow"},
		linux.Option{Key: "metacopy", Value: "off"},
	)
	return linux.NewMount("overlay", linux.Nodev, options...)
}
