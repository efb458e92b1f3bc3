package rootfs

import (
	"path"
	"slices"
	"strconv"
	"strings"

	"a3s.dev/box/agent/box/layers"
	"a3s.dev/box/agent/box/rootdir"
	"a3s.dev/box/agent/box/spec"
)

// askedMount is a mount that the spec asks for.
type askedMount struct {
	destination string
	mount       func() error
}

// mountAsked mounts shares, disks of volumes, images and filesystems in memory, at places that are
// resolved inside the root. What lies deeper comes later, since it can be in another one of them;
// of the same depth they come in the order of the spec, filesystems in memory last.
func mountAsked(r rootdir.Root, s *spec.Spec, kept Shares) error {
	if err := fillDisks(r, s.Mounts); err != nil {
		return err
	}
	var asked []askedMount
	for index, m := range s.Mounts {
		asked = append(asked, askedMount{m.Destination, func() error {
			switch m.Kind {
			case spec.MountDisk:
				return explain("disk "+*m.Serial+" at", m, mountDisk(r, m))
			case spec.MountImage:
				return explain("image at", m, mountImage(r, index, m))
			default:
				return explain("share "+*m.Tag+" at", m, mountShare(r, m, sharesDir+"/"+strconv.Itoa(index), kept))
			}
		}})
	}
	if s.Tmpfs != nil {
		for _, t := range *s.Tmpfs {
			asked = append(asked, askedMount{t.Destination, func() error {
				if err := mountTmpfs(r, t); err != nil {
					return layers.NewDeviceError("tmpfs at", t.Destination, err)
				}
				return nil
			}})
		}
	}
	slices.SortStableFunc(asked, func(a, b askedMount) int { return depth(a.destination) - depth(b.destination) })
	for _, each := range asked {
		if err := each.mount(); err != nil {
			return err
		}
	}
	return nil
}

func explain(kind string, m spec.Mount, err error) error {
	if err == nil {
		return nil
	}
	return layers.NewDeviceError(kind, m.Destination, err)
}

// depth counts the directories that a path leads through.
func depth(name string) int { return strings.Count(strings.TrimSuffix(path.Clean(name), "/"), "/") }
