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
// open. It is mounted nowhere.
func MountLower(layers []spec.Layer, disks map[string]string) (rootdir.Root, error) {
	return inPassing(func() (rootdir.Root, error) {
		paths, err := mountInPassing(layers, disks)
		if err != nil {
			return rootdir.Root{FD: -1}, err
		}
		return mountReadonly(append(paths, pointsDir), rootdir.Harmless)
	})
}

// MountImage mounts the layers of another image, read-only, as that image has its files, and
// returns the mount open. It is mounted nowhere.
func MountImage(layers []spec.Layer, disks map[string]string) (int, error) {
	root, err := inPassing(func() (rootdir.Root, error) {
		paths, err := mountInPassing(layers, disks)
		if err != nil {
			return rootdir.Root{FD: -1}, err
		}
		// An overlay without an upper layer has two layers at least.
		if len(paths) == 1 {
			mount, err := linux.CloneMount(-1, paths[0], false)
			return rootdir.Root{FD: mount}, err
		}
		return mountReadonly(paths, linux.Nodev)
	})
	return root.FD, err
}

// inPassing calls a function in a mount namespace that ends at once: the mounts of the layers are
// nowhere else.
func inPassing(mount func() (rootdir.Root, error)) (rootdir.Root, error) {
	type result struct {
		root rootdir.Root
		err  error
	}
	made := make(chan result)
	go func() {
		// Never unlocked: the thread, and its namespace, end with this function.
		runtime.LockOSThread()
		root, err := mount()
		made <- result{root, err}
	}()
	r := <-made
	return r.root, r.err
}

// mountInPassing mounts layers in a mount namespace of the thread's own, and returns their
// directories, lowest last.
func mountInPassing(layers []spec.Layer, disks map[string]string) ([]string, error) {
	if err := linux.Unshare(syscall.CLONE_FS | syscall.CLONE_NEWNS); err != nil {
		return nil, err
	}
	if err := rootdir.MakePrivate(); err != nil {
		return nil, err
	}
	if err := rootdir.MountAt("tmpfs", BoxDir, 0, linux.Option{Key: "mode", Value: "0755"}); err != nil {
		return nil, err
	}
	if err := MakeMountPoints(); err != nil {
		return nil, err
	}
	for index := range layers {
		if err := os.MkdirAll(layerDir(index), 0o755); err != nil && !errors.Is(err, os.ErrExist) {
			return nil, err
		}
	}
	paths, err := MountLayers(layers, disks)
	slices.Reverse(paths)
	return paths, err
}

// mountReadonly mounts directories as one, the lowest last.
func mountReadonly(paths []string, attributes uint64) (rootdir.Root, error) {
	options := []linux.Option{{Key: "source", Value: "overlay"}, {Key: "redirect_dir", Value: "nofollow"}, {Key: "metacopy", Value: "off"}}
	for _, path := range paths {
		options = append(options, linux.Option{Key: "lowerdir+", Value: path})
	}
	mount, err := linux.NewMount("overlay", linux.Readonly|attributes, options...)
	return rootdir.Root{FD: mount}, err
}
