package layers

import (
	"os"
	"slices"
	"strings"
	"syscall"

	"a3s.dev/box/agent/box/rootdir"
	"a3s.dev/box/agent/linux"
)

// MountOverlay mounts the overlay on RootDir. The upper layer is below a directory of the changes.
// mount(2) is bounded by a page of options; where it fails, fsopen(2) takes one layer at a time.
func MountOverlay(layers []string, changes string) (rootdir.Root, error) {
	layers = append(slices.Clone(layers), pointsDir)
	slices.Reverse(layers[:len(layers)-1])
	options := []linux.Option{
		{Key: "upperdir", Value: changes + UpperName},
		{Key: "workdir", Value: changes + WorkName},
		// A layer must not point into another one by an xattr of its own.
		{Key: "redirect_dir", Value: "nofollow"},
		{Key: "metacopy", Value: "off"},
		// An overlay does not outlive its box, so it needs no number.
		{Key: "uuid", Value: "null"},
	}
	text := "lowerdir=" + strings.Join(layers, ":")
	for _, option := range options {
		text += "," + option.Key + "=" + option.Value
	}
	if len(text) < os.Getpagesize() && syscall.Mount("overlay", RootDir, "overlay", syscall.MS_NODEV, text) == nil {
		return rootdir.OpenDirectory(RootDir)
	}
	options = append(options, linux.Option{Key: "source", Value: "overlay"})
	for _, layer := range layers {
		options = append(options, linux.Option{Key: "lowerdir+", Value: layer})
	}
	mount, err := linux.NewMount("overlay", linux.Nodev, options...)
	if err != nil {
		return rootdir.Root{FD: -1}, err
	}
	return rootdir.Root{FD: mount}, rootdir.Attach(mount, RootDir)
}
