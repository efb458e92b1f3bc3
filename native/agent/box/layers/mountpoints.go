package layers

import (
	"os"

	"a3s.dev/box/agent/box/rootdir"
	"a3s.dev/box/agent/linux"
)

// MakeMountPoints makes a bottom layer with the mount points of every box and Docker's container
// mark, which programs look for, so that they are not written to the writable layer.
func MakeMountPoints() error {
	if err := rootdir.MountAt("tmpfs", pointsDir, linux.Nodev|linux.Nosuid, linux.Option{Key: "mode", Value: "0755"}); err != nil {
		return err
	}
	for _, directory := range []string{"/dev", "/etc", "/proc", "/sys"} {
		if err := os.Mkdir(pointsDir+directory, 0o755); err != nil {
			return err
		}
	}
	for _, file := range []string{HostnamePath, HostsPath, ResolvConfPath} {
		if err := os.WriteFile(pointsDir+file, nil, 0o644); err != nil {
			return err
		}
	}
	return os.WriteFile(pointsDir+"/.dockerenv", nil, 0o755)
}
