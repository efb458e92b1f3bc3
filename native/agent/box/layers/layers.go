package layers

import (
	"errors"
	"os"
	"strconv"
	"syscall"

	"a3s.dev/box/agent/box/rootdir"
	"a3s.dev/box/agent/box/spec"
	"a3s.dev/box/agent/dm"
	"a3s.dev/box/agent/linux"
)

// usualLayers have their directories made beforehand.
const usualLayers = 8

func layerDir(index int) string { return layersDir + "/" + strconv.Itoa(index) }

// MakeDirectories makes the directories that most images need.
func MakeDirectories() error {
	for index := range usualLayers {
		if err := os.MkdirAll(layerDir(index), 0o755); err != nil {
			return err
		}
	}
	return nil
}

// MountLayers mounts the layers below layersDir, and returns their directories, lowest first.
func MountLayers(layers []spec.Layer, disks map[string]string) ([]string, error) {
	var paths []string
	for index, layer := range layers {
		path := layerDir(index)
		device, err := openLayer(&layer, disks[layer.Serial])
		if err == nil {
			err = explainLayer(&layer, mountLayer(device.Path, path, index >= usualLayers))
			if layer.Verity != nil && layer.Verity.Device != "" {
				err = errors.Join(err, device.RemoveLater())
			}
		}
		if err != nil {
			return nil, &DeviceError{"layer", layer.Serial, err}
		}
		paths = append(paths, path)
	}
	return paths, nil
}

// mountLayer uses mount(2), which runs a third of the code that fsopen(2) does, for the first time
// in the copy of a guest. Where it fails, fsopen(2) returns the reason.
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
	return errors.Join(rootdir.Attach(mount, path), syscall.Close(mount))
}

// openLayer returns the device that a layer is mounted from: the disk itself, or its dm-verity
// device, which returns verified blocks only.
func openLayer(l *spec.Layer, disk string) (dm.Device, error) {
	if l.Verity == nil {
		return dm.Device{Path: disk}, nil
	}
	name := l.Serial
	if l.Verity.Device != "" {
		name = l.Verity.Device
	}
	return dm.OpenVerity(name, disk, &dm.Verity{Bytes: l.Verity.Bytes, Root: l.Verity.Root, Salt: l.Verity.Salt})
}

// explainLayer makes the error of a mount one of dm-verity where the kernel has read a block that
// the hash tree does not have.
func explainLayer(l *spec.Layer, err error) error {
	if l.Verity != nil && errors.Is(err, syscall.EIO) {
		return &dm.VerityError{Reason: "a block of the disk is not what the hash tree says", Cause: err}
	}
	return err
}
