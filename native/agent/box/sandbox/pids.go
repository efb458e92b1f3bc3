package sandbox

import (
	"errors"
	"os"
	"syscall"

	"a3s.dev/box/agent/box/layers"
	"a3s.dev/box/agent/box/process"
	"a3s.dev/box/agent/box/rootdir"
	"a3s.dev/box/agent/box/rootfs"
	"a3s.dev/box/agent/linux"
)

// Pids is a PID namespace for a container to be in, and a mount of /proc that shows it.
type Pids struct{ namespace, proc int }

// Pids returns the PID namespace of this sandbox, open once more.
func (s *Sandbox) Pids() (*Pids, error) {
	namespace, err := syscall.Dup(s.Namespaces.Pid)
	if err != nil {
		return nil, os.NewSyscallError("dup", err)
	}
	syscall.CloseOnExec(namespace)
	proc := -1
	// A mount is cloned in its own mount namespace.
	err = s.showsProc().do(func() (err error) {
		proc, err = linux.CloneMount(s.Proc, "", false)
		return err
	})
	if err != nil {
		return nil, errors.Join(err, syscall.Close(namespace))
	}
	return &Pids{namespace, proc}, nil
}

// showsProc is in the mount namespace that the mount of /proc is attached in.
func (s *Sandbox) showsProc() *thread {
	if s.procThread != nil {
		return s.procThread
	}
	return s.thread
}

// JoinPids has the processes of a container be in a PID namespace that is there already. Its main
// process is started as any other one is: by a stage that nothing in that namespace sees.
func (s *Sandbox) JoinPids(p *Pids) {
	s.Namespaces.Pid, s.Proc, s.joinedPids = p.namespace, p.proc, true
}

// showPids mounts what shows the namespaces of a container whose PID namespace is another's. The
// caller is the thread of the sandbox.
func (s *Sandbox) showPids(in *Network) (err error) {
	s.mainStarted = in
	s.system, err = rootfs.MountSystem(s.texts, s.Proc, s.protection)
	return err
}

// NewPids makes a PID namespace for the containers of a pod, whose process 1 waits to become
// a program at this path of its root, in which there is nothing else: containers see the root of
// each process of their PID namespace. As New, it returns what has been made where it fails.
func NewPids(l *process.Launcher, program []byte, pod *Sandbox) (s *Sandbox, path string, err error) {
	s, err = open(l, rootfs.Protection{}, layers.ChangesDir, pod)
	if err != nil {
		return s, "", err
	}
	return s, reaperPath, s.thread.do(func() error {
		if err := linux.SetNamespace(pod.Namespaces.Network, syscall.CLONE_NEWNET); err != nil {
			return err
		}
		s.Namespaces.Network = pod.Namespaces.Network
		if s.Main, s.Proc, err = l.StartMain(); err != nil {
			return err
		}
		if err := s.keepProc(pod); err != nil {
			return err
		}
		if s.Namespaces.Pid, err = linux.OpenAt(-1, "/proc/thread-self/ns/pid_for_children", syscall.O_RDONLY, 0, 0); err != nil {
			return err
		}
		if s.Root, err = mountReaper(program); err != nil {
			return err
		}
		return rootfs.EnterRoot(s.Root)
	})
}

const reaperPath = "/init"

// procOfPids is where the pod's sandbox, in whose mount namespace there is no process, has the
// /proc of its PID namespace: kernels before 6.15 clone no mount that is attached nowhere.
const procOfPids = layers.BoxDir + "/pids"

func (s *Sandbox) keepProc(pod *Sandbox) error {
	if err := pod.thread.do(func() error { return rootdir.AttachAt(s.Proc, procOfPids) }); err != nil {
		return err
	}
	s.procThread = pod.thread
	return nil
}

func mountReaper(program []byte) (rootdir.Root, error) {
	none := rootdir.Root{FD: -1}
	if err := rootdir.MountAt("tmpfs", layers.RootDir, linux.Nosuid|linux.Nodev, linux.Option{Key: "mode", Value: "0755"}); err != nil {
		return none, err
	}
	if err := os.WriteFile(layers.RootDir+reaperPath, program, 0o500); err != nil {
		return none, err
	}
	root, err := rootdir.OpenDirectory(layers.RootDir)
	if err != nil {
		return none, err
	}
	return root, linux.SetAttributes(root.FD, linux.Readonly|linux.Nosuid|linux.Nodev, false)
}

// EndPids ends the namespace, and with it all of its processes.
func (s *Sandbox) EndPids() error {
	var err error
	if s.Main != nil {
		err = s.Main.End()
	}
	if s.procThread != nil {
		err = errors.Join(err, s.procThread.do(func() error {
			return os.NewSyscallError("unmount", syscall.Unmount(procOfPids, syscall.MNT_DETACH))
		}))
	}
	return errors.Join(err, s.close())
}
