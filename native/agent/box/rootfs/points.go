package rootfs

import (
	"os"

	"a3s.dev/box/agent/linux"
)

// makePoints makes a layer, below all of the image's, of what the agent mounts on in every box, and
// of Docker's mark of a container, which programs look for: what an image lacks of it need not be
// made in the box's changes.
func makePoints() error {
	if err := MountAt("tmpfs", pointsDir, linux.Nodev|linux.Nosuid, linux.Option{Key: "mode", Value: "0755"}); err != nil {
		return err
	}
	for _, directory := range []string{"/dev", "/etc", "/proc", "/sys"} {
		if err := os.Mkdir(pointsDir+directory, 0o755); err != nil {
			return err
		}
	}
	for _, file := range []string{hostnamePath, hostsPath, resolvConfPath} {
		if err := os.WriteFile(pointsDir+file, nil, 0o644); err != nil {
			return err
		}
	}
	return os.WriteFile(pointsDir+"/.dockerenv", nil, 0o755)
}
