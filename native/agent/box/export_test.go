package box

import (
	"errors"
	"net"
	"os"
	"runtime"
	"strconv"
	"syscall"

	"a3s.dev/box/agent/box/cgroup"
	"a3s.dev/box/agent/box/layers"
	"a3s.dev/box/agent/box/process"
	"a3s.dev/box/agent/box/rootdir"
	"a3s.dev/box/agent/box/sandbox"
	"a3s.dev/box/agent/box/spec"
	"a3s.dev/box/agent/linux"
	"a3s.dev/box/agent/reaper"
	"a3s.dev/box/agent/redirect"
)

// NewTestBox makes a box on the host that runs the tests: its root is a tmpfs with busybox, its
// group a directory. All else is done by the code that does it in a guest. shell is the path of a
// static busybox.
func NewTestBox(r *reaper.Reaper, groupDir, shell string, document []byte, attachments ...spec.Attachment) (*Box, error) {
	spec, err := spec.Parse(document)
	if err != nil {
		return nil, err
	}
	spec.Attachments = attachments
	b, err := newTestBox(r, groupDir)
	if err != nil {
		return nil, err
	}
	b.spec, b.ready, b.digest, b.ulimits = spec, true, digestOf(document), spec.Resources.Ulimits
	b.handles[MainID] = process.New(MainID)
	return b, b.setupOnHost(shell)
}

func newTestBox(r *reaper.Reaper, groupDir string) (*Box, error) {
	group, err := makeTestGroup(groupDir)
	if err != nil {
		return nil, err
	}
	binary, err := linux.OpenAt(-1, "/proc/self/exe", syscall.O_RDONLY, 0, 0)
	if err != nil {
		return nil, err
	}
	b := New(r, group, binary, nil)
	b.resolver.redirect = func(redirect.Ports) error { return nil }
	// Raising limits takes a capability that even root may lack where tests run.
	b.launcher.Limits = nil
	return b, nil
}

// makeTestGroup makes a directory that stands for a control group.
func makeTestGroup(dir string) (*cgroup.Cgroup, error) {
	for name, content := range testGroup {
		if err := os.WriteFile(dir+"/"+name, []byte(content), 0o600); err != nil {
			return nil, err
		}
	}
	group := &cgroup.Cgroup{Dir: dir}
	var err error
	if group.Procs, err = linux.OpenAt(-1, dir+"/cgroup.procs", syscall.O_WRONLY, 0, 0); err != nil {
		return nil, err
	}
	group.Namespace, err = linux.OpenAt(-1, "/proc/self/ns/cgroup", syscall.O_RDONLY, 0, 0)
	return group, err
}

// NewTestPod makes a guest on the host that runs the tests, whose containers are as NewTestBox
// makes a box.
func NewTestPod(r *reaper.Reaper, groupDir, shell string) (*Box, error) {
	busybox, err := os.ReadFile(shell)
	if err != nil {
		return nil, err
	}
	b, err := newTestBox(r, groupDir)
	if err != nil {
		return nil, err
	}
	b.drivers = func(...string) error { return nil }
	b.pod.steps = containerSteps{
		makeGroup: func(_ *cgroup.Cgroup, id string) (*cgroup.Cgroup, error) {
			dir := groupDir + "/" + id
			if err := os.Mkdir(dir, 0o700); err != nil {
				return nil, err
			}
			group, err := makeTestGroup(dir)
			// Nothing kills the processes of the group but the end of their namespace.
			return group, errors.Join(err, os.WriteFile(dir+"/cgroup.events", []byte("populated 0\nfrozen 0\n"), 0o600))
		},
		removeGroup: func(group *cgroup.Cgroup) error {
			// What is no control group is no directory without files either.
			for name := range testGroup {
				if err := os.Remove(group.Dir + "/" + name); err != nil {
					return err
				}
			}
			for _, name := range []string{"cgroup.kill", "memory.low", "cpu.max", "cpu.weight"} {
				if err := os.Remove(group.Dir + "/" + name); err != nil && !errors.Is(err, os.ErrNotExist) {
					return err
				}
			}
			return group.Remove()
		},
		setUp: func(s *sandbox.Sandbox, l *process.Launcher, spec *spec.Spec) error {
			network, err := s.JoinNetwork(spec)
			if err != nil {
				return err
			}
			return s.SetUpOn(l, spec, network, func() (rootdir.Root, error) {
				if err := makeTestRoot(busybox); err != nil {
					return rootdir.Root{FD: -1}, err
				}
				return rootdir.OpenDirectory(layers.RootDir)
			})
		},
	}
	return b, nil
}

// testGroup are the files of the box's group.
var testGroup = map[string]string{
	"memory.events": "low 0\noom_kill 0\n", "cgroup.procs": "", "cgroup.events": "populated 1\nfrozen 1\n", "memory.current": "4096\n",
	"memory.peak": "8192\n", "pids.current": "3\n", "memory.stat": "anon 1024\ninactive_file 2048\n", "pids.max": "max\n",
	"memory.max": "1048576\n", "io.stat": "254:0 rbytes=1 wbytes=2 rios=3 wios=4 dbytes=5 dios=6\n",
	"cpu.stat": "usage_usec 30\nuser_usec 20\nsystem_usec 10\nnr_periods 7\nnr_throttled 2\nthrottled_usec 9\n",
}

func (b *Box) setupOnHost(shell string) error {
	busybox, err := os.ReadFile(shell)
	if err != nil {
		return err
	}
	// As in a guest that was prepared for another spec.
	if err := b.makeSandbox(sandbox.ExpectedProtection); err != nil {
		return err
	}
	g := b.sandbox
	network, err := g.MakeNetwork(&b.spec.Network, sandbox.NIC{})
	if err != nil {
		return err
	}
	if err := g.KeepBase(); err != nil {
		return err
	}
	return g.SetUpOn(b.launcher, b.spec, network, func() (rootdir.Root, error) {
		if err := makeTestRoot(busybox); err != nil {
			return rootdir.Root{FD: -1}, err
		}
		return rootdir.OpenDirectory(layers.RootDir)
	})
}

func makeTestRoot(busybox []byte) error {
	if err := rootdir.MountAt("tmpfs", layers.RootDir, linux.Nodev, linux.Option{Key: "mode", Value: "0755"}); err != nil {
		return err
	}
	for _, dir := range []string{"/bin", "/etc", "/tmp", "/secret"} {
		if err := os.Mkdir(layers.RootDir+dir, 0o755); err != nil {
			return err
		}
	}
	for path, content := range map[string][]byte{
		"/bin/busybox": busybox, "/bin/bad": []byte("not a program"),
		"/etc/passwd": []byte("root:x:0:0::/root:/bin/sh\napp:x:1000:1000::/home/app:/bin/sh\n"),
		"/etc/group":  []byte("root:x:0:\napp:x:1000:\nextra:x:2000:app\n"), "/secret/file": []byte("secret\n"),
	} {
		if err := os.WriteFile(layers.RootDir+path, content, 0o755); err != nil {
			return err
		}
	}
	if err := os.WriteFile(layers.RootDir+"/bin/plain", []byte("x"), 0o644); err != nil {
		return err
	}
	return os.Chmod(layers.RootDir+"/tmp", 0o777)
}

// CloseTestBox lets go of the namespaces, and with them of the root.
func CloseTestBox(b *Box) error {
	err := errors.Join(syscall.Close(b.launcher.Cgroup.Procs), syscall.Close(b.launcher.Binary))
	return errors.Join(err, b.copies.end(), b.sockets.close(), b.resolver.close(), b.closePids(), b.standby.End(), b.sandbox.End(), syscall.Close(b.launcher.Cgroup.Namespace))
}

// CoreLimit is the largest core dump that a process of the box may leave.
func (b *Box) CoreLimit() uint64 {
	for _, limit := range b.launcher.Limits {
		if limit.Resource == syscall.RLIMIT_CORE {
			return limit.Hard
		}
	}
	return ^uint64(0)
}

// ShowAttachments has copies see what is attached, as they see shares.
func ShowAttachments(b *Box) {
	for _, attachment := range b.spec.Attachments {
		b.spec.Mounts = append(b.spec.Mounts, spec.Mount{Kind: "virtiofs", Destination: attachment.Path})
	}
}

// DialInBox connects to an address from the box's network.
func DialInBox(b *Box, network, address string) (net.Conn, error) {
	return inNetwork(b, func() (net.Conn, error) { return net.Dial(network, address) })
}

// ListenPacketInBox listens on a UDP address of the box's network.
func ListenPacketInBox(b *Box, address string) (net.PacketConn, error) {
	return inNetwork(b, func() (net.PacketConn, error) { return net.ListenPacket("udp4", address) })
}

// MaxSockets is how many requests about sockets may be open.
const MaxSockets = maxSockets

// ListenInBox makes a Unix socket at a path of the box.
func ListenInBox(b *Box, path string) (net.Listener, error) {
	return net.Listen("unix", "/proc/self/fd/"+strconv.Itoa(b.sandbox.Root.FD)+path)
}

// AwaitPort returns when the agent listens on a port.
func AwaitPort(b *Box, number int) {
	for {
		b.sockets.mu.Lock()
		p := b.sockets.ports[number]
		b.sockets.mu.Unlock()
		if p != nil {
			return
		}
		runtime.Gosched()
	}
}

// CloseSockets ends the waits for connections, as the end of the box does.
func CloseSockets(b *Box) error { return b.sockets.close() }
