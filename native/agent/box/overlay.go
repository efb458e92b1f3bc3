package box

import (
	"os"
	"slices"
	"strings"
	"syscall"

	"a3s.dev/box/agent/linux"
)

// mountOverlay mounts the overlay on rootDir and answers it. The upper layer is below a directory of the changes. The long way, after the
// short one has failed, takes one layer at a time, so that their number is not bounded by a page of mount options.
func mountOverlay(layers []string, changes string) (root, error) {
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
		return openDirectory(rootDir)
	}
	options = append(options, linux.Option{Key: "source", Value: "overlay"})
	for _, layer := range layers {
		options = append(options, linux.Option{Key: "lowerdir+", Value: layer})
	}
	mount, err := linux.NewMount("overlay", linux.Nodev, options...)
	if err != nil {
		return root{-1}, err
	}
	return root{mount}, attach(mount, rootDir)
}
