package layers

import (
	"errors"
	"os"
	"runtime"
	"slices"
	"syscall"

	"a3s.dev/box/agent/box/rootdir"
	"a3s.dev/box/agent/box/spec"
	"a3s.dev/box/agent/linux"
)

// MountLower mounts what the box's root has below its writable layer, read-only, and returns it
// open. It is mounted nowhere: a namespace that ends at once has the mounts of the layers
// meanwhile.
func MountLower(layers []spec.Layer, disks map[string]string) (rootdir.Root, error) {
	type result struct {
		root rootdir.Root
		err  error
	}
	made := make(chan result)
	go func() {
		// Never unlocked: the thread, and its namespace, end with this function.
		runtime.LockOSThread()
		root, err := mountLower(layers, disks)
		made <- result{root, err}
	}()
	r := <-made
	return r.root, r.err
}

func mountLower(layers []spec.Layer, disks map[string]string) (rootdir.Root, error) {
	none := rootdir.Root{FD: -1}
	if err := linux.Unshare(syscall.CLONE_FS | syscall.CLONE_NEWNS); err != nil {
		return none, err
	}
	if err := rootdir.MakePrivate(); err != nil {
		return none, err
	}
	if err := rootdir.MountAt("tmpfs", BoxDir, 0, linux.Option{Key: "mode", Value: "0755"}); err != nil {
		return none, err
	}
	if err := MakeMountPoints(); err != nil {
		return none, err
	}
	for index := range layers {
		if err := os.MkdirAll(layerDir(index), 0o755); err != nil && !errors.Is(err, os.ErrExist) {
			return none, err
		}
	}
	paths, err := MountLayers(layers, disks)
	if err != nil {
		return none, err
	}
	paths = append(slices.Clone(paths), pointsDir)
	slices.Reverse(paths[:len(paths)-1])
	options := []linux.Option{{Key: "source", Value: "overlay"}, {Key: "redirect_dir", Value: "nofollow"}, {Key: "metacopy", Value: "off"}}
	for _, path := range paths {
		options = append(options, linux.Option{Key: "lowerdir+", Value: path})
	}
	mount, err := linux.NewMount("overlay", linux.Readonly|rootdir.Harmless, options...)
	return rootdir.Root{FD: mount}, err
}
