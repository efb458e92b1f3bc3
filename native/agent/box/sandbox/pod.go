package sandbox

import (
	"errors"
	"os"
	"syscall"

	"a3s.dev/box/agent/box/layers"
	"a3s.dev/box/agent/box/process"
	"a3s.dev/box/agent/box/rootfs"
	"a3s.dev/box/agent/box/spec"
	"a3s.dev/box/agent/linux"
	"a3s.dev/box/agent/netlink"
)

// SetUpPod sets up what the containers of a pod have in common: their network, the names of the
// guest, and shared memory. A pod has no root. What a prepared guest has for a main process ends.
func (s *Sandbox) SetUpPod(spec *spec.Spec) error {
	network, err := s.network(&spec.Network)
	if err != nil {
		return err
	}
	if s.Main != nil {
		// No process may be in the pod's control group.
		if err := s.Main.Discard(); err != nil {
			return err
		}
		s.Main = nil
	}
	s.Namespaces.Network = network.namespace
	return s.thread.do(func() error {
		if err := setNames(spec, network); err != nil {
			return err
		}
		return rootfs.MountSharedMemory(spec.ShmBytes)
	})
}

// NewContainer makes the namespaces of a container of a pod that is set up. The UTS, IPC and
// network namespaces are the pod's; mounts, processes and control groups are the container's own.
// id names it within the pod. As New, it returns what has been made where it fails.
func NewContainer(l *process.Launcher, p rootfs.Protection, id string, pod *Sandbox) (*Sandbox, error) {
	return open(l, p, layers.ContainerChangesDir(id), pod)
}

// enterShared moves the calling thread to the namespaces that containers have in common, but for
// the network's.
func (s *Sandbox) enterShared() error {
	return errors.Join(
		linux.SetNamespace(s.Namespaces.UTS, syscall.CLONE_NEWUTS), linux.SetNamespace(s.Namespaces.IPC, syscall.CLONE_NEWIPC),
	)
}

// IdentifyContainer gives a container the ids that its pod has.
func (s *Sandbox) IdentifyContainer() error {
	if s.pod.machineID == "" {
		return s.Identify()
	}
	s.BootID = s.pod.BootID
	return s.texts.Reidentify(s.pod.machineID, s.BootID)
}

// networkOf returns the network of a spec: the pod's for a container.
func (s *Sandbox) networkOf(spec *spec.Spec) (*Network, error) {
	if s.pod == nil {
		return s.network(&spec.Network)
	}
	return s.JoinNetwork(spec)
}

// JoinNetwork returns the pod's network, with a /sys that shows this container's control groups.
func (s *Sandbox) JoinNetwork(spec *spec.Spec) (*Network, error) {
	n := newNetwork(&spec.Network, s.pod.inUse().index)
	err := s.thread.do(func() (err error) {
		if err := linux.SetNamespace(s.pod.Namespaces.Network, syscall.CLONE_NEWNET); err != nil {
			return err
		}
		if n.namespace, err = linux.OpenAt(-1, "/proc/thread-self/ns/net", syscall.O_RDONLY, 0, 0); err != nil {
			return err
		}
		if n.inside, err = netlink.Open(); err != nil {
			return err
		}
		if n.counters, err = linux.OpenAt(-1, "/proc/thread-self/net/dev", syscall.O_RDONLY, 0, 0); err != nil {
			return err
		}
		return n.mountSystem(s)
	})
	s.networks[spec.Network.Kind] = n
	return n, err
}

// showSharedMemory lays the pod's shared memory over the container's own, in the mount namespace of
// this thread.
func (s *Sandbox) showSharedMemory() error {
	var memory int
	if err := s.pod.thread.do(func() (err error) {
		memory, err = rootfs.CloneSharedMemory()
		return err
	}); err != nil {
		return err
	}
	return errors.Join(rootfs.CoverSharedMemory(s.system, memory), syscall.Close(memory))
}

// EndContainer ends a container as End does, and leaves nothing of it in the guest. started: its
// main process was started, or could not be.
func (s *Sandbox) EndContainer(started bool) error {
	var err error
	if s.Main != nil && !started {
		err = s.Main.Discard()
		s.Main = nil
	}
	err = errors.Join(err, s.Shares.Close(), s.End())
	if removed := os.Remove(s.changesDir); removed != nil && !errors.Is(removed, os.ErrNotExist) {
		err = errors.Join(err, removed)
	}
	return err
}
