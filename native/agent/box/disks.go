package box

import (
	"errors"
	"os"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"a3s.dev/box/agent/linux"
	"a3s.dev/box/agent/uevent"
)

// plugDeadline is the time that a device has to appear; under emulation on a busy host a plug takes seconds.
const plugDeadline = 30 * time.Second

const diskFlags = syscall.MS_NODEV | syscall.MS_NOATIME

// diskOptions keep the kernel from reading bitmaps ahead and from zeroing tables, which are zero on a new disk: its thread for that would
// still be at it, and end, when the copy of a guest begins.
const diskOptions = "errors=remount-ro,no_prefetch_block_bitmaps,noinit_itable"

// findDisks waits for disks that were not found yet.
func (g *ground) findDisks(serials []string) error {
	missing := slices.IndexFunc(serials, func(serial string) bool { return g.disks[serial] == "" })
	if missing < 0 {
		return nil
	}
	var err error
	g.disks, err = awaitDisks(serials)
	return err
}

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

// takeChanges mounts what the box writes to, unless that is mounted already. memory is what the box may take of it, nil for no limit.
func (g *ground) takeChanges(changes Changes, memory *int64) error {
	switch {
	case g.changes.Kind == "":
	case g.changes.equal(changes):
		return nil
	default:
		if err := g.thread.do(unmountChanges); err != nil {
			return err
		}
		if err := unmountChanges(); err != nil {
			return err
		}
	}
	g.changes = changes
	g.changesAt = changesDir
	if err := mountChanges(changes, g.disks, memory); err != nil {
		return err
	}
	return g.showChanges()
}

// showChanges mounts in the box's mount namespace what the agent has mounted in its own.
func (g *ground) showChanges() error {
	mount, err := linux.CloneMount(-1, changesDir, false)
	if err != nil {
		return err
	}
	defer syscall.Close(mount)
	return g.thread.do(func() error { return attachAt(mount, changesDir) })
}

func (c Changes) equal(other Changes) bool {
	return c.Kind == other.Kind && (c.Kind == ChangesMemory || *c.Serial == *other.Serial)
}

func unmountChanges() error {
	if err := syscall.Unmount(changesDir, 0); err != nil {
		return &linux.Error{Op: "unmount", On: changesDir, Errno: err.(syscall.Errno)}
	}
	return nil
}

// mountChanges mounts what the box writes to, where the agent can unmount it again.
func mountChanges(changes Changes, disks map[string]string, memory *int64) error {
	if err := os.MkdirAll(changesDir, 0o755); err != nil {
		return err
	}
	var err error
	switch changes.Kind {
	case ChangesMemory:
		err = mountMemory(memory)
	case ChangesEncrypted:
		err = mountEncrypted(disks[*changes.Serial])
	default:
		err = syscall.Mount(disks[*changes.Serial], changesDir, "ext4", diskFlags, diskOptions)
	}
	if err != nil {
		return &deviceError{"changes on", changes.Kind, err}
	}
	for _, dir := range []string{changesDir + upperName, changesDir + workName} {
		if err := os.Mkdir(dir, 0o755); err != nil && !errors.Is(err, os.ErrExist) {
			return err
		}
	}
	return nil
}

// mountMemory leaves a box half of the memory that it may take for its processes: a disk that is full is an error that a program can
// handle, memory that has run out is its end.
func mountMemory(memory *int64) error {
	limit, err := memoryLimit(memory)
	if err != nil {
		return err
	}
	return syscall.Mount("tmpfs", changesDir, "tmpfs", diskFlags, "mode=755,size="+strconv.FormatInt(limit/2, 10))
}

// usualLayers have their directories made beforehand.
const usualLayers = 8

func layerDir(index int) string { return layersDir + "/" + itoa(index) }

// mountLayers mounts the layers below layersDir and answers where, lowest first.
func mountLayers(layers []Layer, disks map[string]string) ([]string, error) {
	var paths []string
	for index, layer := range layers {
		path := layerDir(index)
		device, err := layer.device(disks[layer.Serial])
		if err == nil {
			err = layer.explain(mountLayer(device, path, index >= usualLayers))
		}
		if err != nil {
			return nil, &deviceError{"layer", layer.Serial, err}
		}
		paths = append(paths, path)
	}
	return paths, nil
}

// mountLayer goes the short way, which in the copy of a guest is a third of the code; where that fails, the long one tells why.
func mountLayer(device, path string, missing bool) error {
	if missing {
		if err := os.MkdirAll(path, 0o755); err != nil {
			return err
		}
	}
	if syscall.Mount(device, path, "erofs", syscall.MS_RDONLY|syscall.MS_NODEV|syscall.MS_NOATIME, "") == nil {
		return nil
	}
	mount, err := linux.NewMount("erofs", linux.Readonly|linux.Nodev|linux.Noatime, linux.Option{Key: "source", Value: device}, linux.Option{Key: "ro"})
	if err != nil {
		return err
	}
	return errors.Join(attach(mount, path), syscall.Close(mount))
}

// mountOverlay mounts the overlay on rootDir and answers it. The upper layer is below a directory of the changes. The long way, after the
// short one has failed, takes one layer at a time, so that their number is not bounded by a page of mount options.
func mountOverlay(layers []string, changes string) (int, error) {
	layers = append(slices.Clone(layers), pointsDir)
	slices.Reverse(layers[:len(layers)-1])
	options := []linux.Option{
		{Key: "upperdir", Value: changes + upperName},
		{Key: "workdir", Value: changes + workName},
		// A layer must not point into another one by an xattr of its own.
		{Key: "redirect_dir", Value: "nofollow"},
		{Key: "metacopy", Value: "off"},
		// Nothing outlives the box that would have to tell one overlay from another, so none is numbered.
		{Key: "uuid", Value: "null"},
	}
	text := "lowerdir=" + strings.Join(layers, ":")
	for _, option := range options {
		text += "," + option.Key + "=" + option.Value
	}
	if len(text) < os.Getpagesize() && syscall.Mount("overlay", rootDir, "overlay", syscall.MS_NODEV, text) == nil {
		return linux.OpenAt(-1, rootDir, linux.OPath|syscall.O_DIRECTORY, 0, 0)
	}
	options = append(options, linux.Option{Key: "source", Value: "overlay"})
	for _, layer := range layers {
		options = append(options, linux.Option{Key: "lowerdir+", Value: layer})
	}
	mount, err := linux.NewMount("overlay", linux.Nodev, options...)
	if err != nil {
		return -1, err
	}
	return mount, attach(mount, rootDir)
}
