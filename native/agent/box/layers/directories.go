// Package layers mounts what the overlay of a box is made of: the layers of its image, its writable
// layer, and the disks that these lie on.
package layers

// Directories of the agent. All of them but ChangesDir exist in the box's mount namespace only, and
// there only until the box's root is entered.
const (
	ChangesDir = "/run/changes"
	// containersDir has the changes of the containers of a pod, in the agent's own mount namespace:
	// in that of a container they are at ChangesDir.
	containersDir = "/run/containers"
	BoxDir        = "/run/box"
	layersDir     = BoxDir + "/layers"
	pointsDir     = BoxDir + "/points"
	RootDir       = BoxDir + "/root"
)

// ContainerChangesDir is where the agent has mounted what a container writes to.
func ContainerChangesDir(id string) string { return containersDir + "/" + id }

// What the overlay writes to, below the directory of the changes.
const (
	UpperName = "/upper"
	WorkName  = "/work"
)

// Files of the network, which the agent mounts in every box.
const (
	HostnamePath   = "/etc/hostname"
	HostsPath      = "/etc/hosts"
	ResolvConfPath = "/etc/resolv.conf"
)
