package rootfs

import (
	"strconv"

	"a3s.dev/box/agent/box/layers"
	"a3s.dev/box/agent/box/rootdir"
	"a3s.dev/box/agent/linux"
)

// sharedMemoryDir has the shared memory of a pod, in the base of its mount namespace.
const sharedMemoryDir = layers.BoxDir + "/memory"

// usualShmBytes is the size of /dev/shm where the spec names none.
const usualShmBytes = 64 << 20

// MountSharedMemory makes the /dev/shm that the containers of a pod have in common, in the base of
// this thread's mount namespace.
func MountSharedMemory(bytes *int64) error {
	size := int64(usualShmBytes)
	if bytes != nil {
		size = *bytes
	}
	err := rootdir.MountAt("tmpfs", sharedMemoryDir, rootdir.Harmless,
		linux.Option{Key: "mode", Value: "1777"}, linux.Option{Key: "size", Value: strconv.FormatInt(size, 10)})
	if err != nil {
		return layers.NewDeviceError("mount", shmPath, err)
	}
	return nil
}

// CloneSharedMemory returns a mount of it. The calling thread is the pod's.
func CloneSharedMemory() (int, error) { return linux.CloneMount(-1, sharedMemoryDir, false) }

// CoverSharedMemory lays such a mount over the /dev/shm of a container.
func CoverSharedMemory(system rootdir.Root, mount int) error {
	if err := attachTo(system, mount, shmPath); err != nil {
		return layers.NewDeviceError("mount", shmPath, err)
	}
	return nil
}
