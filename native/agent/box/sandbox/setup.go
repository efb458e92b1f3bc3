package sandbox

import (
	"errors"
	"os"
	"syscall"

	"a3s.dev/box/agent/box/devicefilter"
	"a3s.dev/box/agent/box/layers"
	"a3s.dev/box/agent/box/process"
	"a3s.dev/box/agent/box/rootdir"
	"a3s.dev/box/agent/box/rootfs"
	"a3s.dev/box/agent/box/spec"
	"a3s.dev/box/agent/linux"
)

// SetUp sets up the sandbox by a spec, up to the start of the main process.
func (s *Sandbox) SetUp(l *process.Launcher, spec *spec.Spec) error {
	if err := spec.CheckIntegrity(); err != nil {
		return err
	}
	if err := s.findDisks(spec.Serials(), spec.FindDisks); err != nil {
		return err
	}
	if err := s.takeChanges(spec.Rootfs.Changes, spec.Resources.MemoryBytes); err != nil {
		return err
	}
	if err := s.takeVolumes(spec.VolumeDisks(), spec.OpenSealed); err != nil {
		return err
	}
	if err := s.takeImages(spec.Mounts); err != nil {
		return err
	}
	network, err := s.networkOf(spec)
	if err != nil {
		return err
	}
	return s.SetUpOn(l, spec, network, func() (rootdir.Root, error) {
		images, err := layers.MountLayers(spec.Rootfs.Layers, s.disks)
		if err != nil {
			return rootdir.Root{FD: -1}, err
		}
		return layers.MountOverlay(images, s.changesAt)
	})
}

// SetUpOn starts main's stage, and completes the root that a function mounts in the box's mount
// namespace. It writes to the root what Docker writes too: empty mount points, the directories of
// the image's volumes, and the main process's working directory.
func (s *Sandbox) SetUpOn(l *process.Launcher, spec *spec.Spec, in *Network, mountRoot func() (rootdir.Root, error)) error {
	s.Namespaces.Network = in.namespace
	// The thread of the sandbox does not see the control groups of the guest.
	if err := filterDevices(l, spec); err != nil {
		return err
	}
	return s.thread.do(func() (err error) {
		if s.joinedPids {
			if err := s.showPids(in); err != nil {
				return err
			}
		} else if s.Main == nil {
			if err := s.startMain(l, in); err != nil {
				return err
			}
		}
		if s.pod == nil {
			if err := setNames(spec, in); err != nil {
				return err
			}
		}
		if err := s.protect(rootfs.ProtectionOf(spec)); err != nil {
			return err
		}
		if s.pod != nil {
			if err := s.showSharedMemory(); err != nil {
				return err
			}
		}
		if s.Root, err = mountRoot(); err != nil {
			return err
		}
		if err := rootfs.Fill(s.Root, spec, s.system, in.system, s.texts, s.Shares); err != nil {
			return err
		}
		return rootfs.EnterRoot(s.Root)
	})
}

// protect mounts /dev, /proc and /sys once more where the spec protects other paths than they were
// mounted with.
func (s *Sandbox) protect(p rootfs.Protection) error {
	if s.protection.Equal(p) {
		return nil
	}
	// The clone has none of the mounts below it.
	proc, err := linux.CloneMount(s.Proc, "", false)
	if err != nil {
		return err
	}
	previous := s.Proc
	s.Proc = proc
	if err := syscall.Close(previous); err != nil {
		return err
	}
	s.protection = p
	if s.system, err = rootfs.MountSystem(s.texts, s.Proc, p); err != nil {
		return err
	}
	for _, n := range s.networks {
		if err := linux.SetNamespace(n.namespace, syscall.CLONE_NEWNET); err != nil {
			return err
		}
		if err := n.mountSystem(s); err != nil {
			return err
		}
	}
	return nil
}

// filterDevices confines a box that may open the nodes it makes to the devices of its rules. All
// others have a /dev in which no node of theirs opens anything, and a privileged one has all
// devices.
func filterDevices(l *process.Launcher, spec *spec.Spec) error {
	if !spec.Confinement.OpensNodes() || spec.Confinement.IsPrivileged() {
		return nil
	}
	given, err := rootfs.ProtectionOf(spec).Given()
	if err != nil {
		return err
	}
	program := devicefilter.Program(given, *spec.Confinement.DeviceRules)
	if program == nil {
		return nil
	}
	return l.Cgroup.FilterDevices(program)
}

// setNames gives the namespaces of this thread the box's names, and its settings of the kernel.
func setNames(spec *spec.Spec, in *Network) error {
	if err := setHostname(spec.Hostname); err != nil {
		return err
	}
	return setKernel(spec, in)
}

func setHostname(name string) error {
	if err := syscall.Sethostname([]byte(name)); err != nil {
		return &linux.Error{Op: "sethostname", On: name, Errno: err.(syscall.Errno)}
	}
	return nil
}

// warmUpDir is where the box of a warm-up writes, on the writable layer. It is removed afterwards.
const warmUpDir = layers.ChangesDir + "/warm-up"

// SetUpWarmUp sets up the sandbox of a warm-up, with the disks of a prepared guest.
func (s *Sandbox) SetUpWarmUp(l *process.Launcher, prepared *Sandbox, wanted *spec.Spec) error {
	s.disks = prepared.disks
	for _, dir := range []string{warmUpDir, warmUpDir + layers.UpperName, warmUpDir + layers.WorkName} {
		if err := os.Mkdir(dir, 0o755); err != nil && !errors.Is(err, os.ErrExist) {
			return err
		}
	}
	// They are mounted in the agent's own namespace already.
	s.changes, s.changesAt = wanted.Rootfs.Changes, warmUpDir
	if err := s.showChanges(); err != nil {
		return err
	}
	none, err := s.MakeNetwork(&spec.Network{Kind: spec.NetworkNone}, NIC{})
	if err != nil {
		return err
	}
	if wanted.Network.Kind != spec.NetworkNone {
		// The network device stays with the prepared sandbox, which takes it as a box's would be.
		if _, err := prepared.network(&wanted.Network); err != nil {
			return err
		}
		if _, err := s.MakeNetwork(&wanted.Network, NIC{}); err != nil {
			return err
		}
	}
	if err := s.thread.do(func() error { return s.startMain(l, none) }); err != nil {
		return err
	}
	return s.SetUp(l, wanted)
}

// CloseWarmUp ends the processes of a warm-up and removes what it wrote. outside is a mount
// namespace that stays.
func (s *Sandbox) CloseWarmUp(outside int) error {
	var err error
	if s.Main != nil {
		// Ended already, unless something failed on the way.
		err = s.Main.End()
	}
	err = errors.Join(err, s.thread.do(func() error { return linux.SetNamespace(outside, syscall.CLONE_NEWNS) }), s.close())
	return errors.Join(err, os.RemoveAll(warmUpDir))
}
