package rootfs

import (
	"errors"
	"strconv"
	"syscall"

	"a3s.dev/box/agent/box/rootdir"
	"a3s.dev/box/agent/box/spec"
	"a3s.dev/box/agent/linux"
)

// imagesDir has the images that the box mounts, in the box's mount namespace until its root is
// entered.
const imagesDir = "/run/images"

func imageDir(index int) string { return imagesDir + "/" + strconv.Itoa(index) }

// ShowImage attaches an image where the mount of that index finds it.
func ShowImage(index, mount int) error { return rootdir.AttachAt(mount, imageDir(index)) }

// mountImage mounts an image, or a part of it, at a destination.
func mountImage(r rootdir.Root, index int, m spec.Mount) error {
	top, err := linux.OpenAt(-1, imageDir(index), linux.OPath|syscall.O_DIRECTORY, 0, 0)
	if err != nil {
		return err
	}
	defer syscall.Close(top)
	mount, isFile, err := cloneImage(top, m.Subpath)
	if err != nil {
		return err
	}
	return errors.Join(attachPart(r, mount, isFile, m.Destination), syscall.Close(mount))
}

// cloneImage returns a mount of an image, or of a part of it. Links lead where they lead in the
// image.
func cloneImage(top int, subpath *string) (mount int, isFile bool, err error) {
	place := "."
	if subpath != nil {
		place = *subpath
	}
	part, err := linux.OpenAt(top, place, linux.OPath, 0, linux.InRoot|linux.NoMagicLinks)
	if err != nil {
		return -1, false, err
	}
	defer syscall.Close(part)
	return clonePart(part)
}
