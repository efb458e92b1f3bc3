package box

import (
	"errors"
	"os"
	"runtime"
	"syscall"

	"a3s.dev/box/agent/linux"
	"a3s.dev/box/agent/reaper"
)

// NewTestBox makes a box on the host that runs the tests: its root is a tmpfs with busybox, its group a directory. All else is
// done by the code that does it in a guest. shell is the path of a static busybox.
func NewTestBox(r *reaper.Reaper, groupDir, shell string, document []byte) (*Box, error) {
	spec, err := ParseSpec(document)
	if err != nil {
		return nil, err
	}
	for name, content := range map[string]string{"memory.events": "oom_kill 0\n", "cgroup.procs": ""} {
		if err := os.WriteFile(groupDir+"/"+name, []byte(content), 0o600); err != nil {
			return nil, err
		}
	}
	cgroup := &Cgroup{dir: groupDir}
	if cgroup.Procs, err = linux.OpenAt(-1, groupDir+"/cgroup.procs", syscall.O_WRONLY, 0, 0); err != nil {
		return nil, err
	}
	if cgroup.Namespace, err = linux.OpenAt(-1, "/proc/self/ns/cgroup", syscall.O_RDONLY, 0, 0); err != nil {
		return nil, err
	}
	binary, err := linux.OpenAt(-1, "/proc/self/exe", syscall.O_RDONLY, 0, 0)
	if err != nil {
		return nil, err
	}
	b := New(r, cgroup, binary, nil)
	// Raising limits takes a capability that even root may lack where tests run.
	b.launcher.limits = nil
	b.spec, b.ready, b.digest = spec, true, "sha256:test"
	b.handles[MainID] = newHandle(MainID)
	done := make(chan error)
	go func() {
		runtime.LockOSThread()
		done <- b.setupOnHost(shell)
	}()
	return b, <-done
}

func (b *Box) setupOnHost(shell string) (err error) {
	busybox, err := os.ReadFile(shell)
	if err != nil {
		return err
	}
	if b.namespaces, err = unshare(b.launcher.cgroup.Namespace); err != nil {
		return err
	}
	// The host's own /run stays as it is.
	if err := syscall.Mount("tmpfs", "/run", "tmpfs", 0, ""); err != nil {
		return err
	}
	if err := mountAt("tmpfs", rootDir, linux.Nodev, linux.Option{Key: "mode", Value: "0755"}); err != nil {
		return err
	}
	for _, dir := range []string{"/bin", "/etc", "/tmp", "/secret"} {
		if err := os.Mkdir(rootDir+dir, 0o755); err != nil {
			return err
		}
	}
	for path, content := range map[string][]byte{
		"/bin/busybox": busybox, "/bin/bad": []byte("not a program"),
		"/etc/passwd": []byte("root:x:0:0::/root:/bin/sh\napp:x:1000:1000::/home/app:/bin/sh\n"),
		"/etc/group":  []byte("root:x:0:\napp:x:1000:\nextra:x:2000:app\n"), "/secret/file": []byte("secret\n"),
	} {
		if err := os.WriteFile(rootDir+path, content, 0o755); err != nil {
			return err
		}
	}
	if err := os.WriteFile(rootDir+"/bin/plain", []byte("x"), 0o644); err != nil {
		return err
	}
	if err := os.Chmod(rootDir+"/tmp", 0o777); err != nil {
		return err
	}
	fd, err := linux.OpenAt(-1, rootDir, linux.OPath|syscall.O_DIRECTORY, 0, 0)
	if err != nil {
		return err
	}
	return errors.Join(b.fillRoot(root{fd}), syscall.Close(fd))
}

func (b *Box) fillRoot(r root) error {
	none := &nic{network: &b.spec.Network}
	for _, step := range []func() error{
		func() error { return mountSystem(r) },
		func() error { return makeDevices(r, b.spec.Process.Terminal) },
		func() error { return mountEtc(r, b.spec) },
		func() error { return makeCwd(r, b.spec.Process.Cwd) },
		func() error { return syscall.Sethostname([]byte(b.spec.Hostname)) },
		none.configure,
		func() error { return writeSysctls(b.spec) },
		enterRoot,
	} {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

// CloseTestBox lets go of the namespaces, and with them of the root.
func CloseTestBox(b *Box) error {
	err := errors.Join(syscall.Close(b.launcher.cgroup.Procs), syscall.Close(b.launcher.binary))
	for _, fd := range []int{b.namespaces.Mount, b.namespaces.UTS, b.namespaces.IPC, b.namespaces.Network, b.namespaces.Cgroup, b.pid} {
		if fd >= 0 {
			err = errors.Join(err, syscall.Close(fd))
		}
	}
	return err
}
