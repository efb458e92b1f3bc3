package rootfs

import (
	"errors"
	"os"
	"strings"
	"syscall"

	"a3s.dev/box/agent/box/rootdir"
	"a3s.dev/box/agent/box/spec"
	"a3s.dev/box/agent/linux"
)

// text is a small file of the agent's that is mounted over a file of the box. The box cannot write
// to those of the kernel's.
type text struct {
	file *os.File
	// length is that of the content, unless the box wrote to it.
	length int
	// writable: the box can write to the file.
	writable bool
}

// newText makes an empty one in textsDir of this thread's mount namespace.
func newText(name string, mode uint32) (*text, error) {
	path := textsDir + "/" + name
	fd, err := linux.OpenAt(-1, path, syscall.O_CREAT|syscall.O_EXCL|syscall.O_RDWR, mode, 0)
	if err != nil {
		return nil, err
	}
	return &text{file: os.NewFile(uintptr(fd), path)}, nil
}

// cover lays it over a file of the root, which is made if missing.
func (t *text) cover(r rootdir.Root, path string, attributes uint64) error {
	mount, err := linux.CloneMount(-1, t.file.Name(), false)
	if err != nil {
		return err
	}
	defer syscall.Close(mount)
	t.writable = t.writable || attributes&linux.Readonly == 0
	if attributes != 0 {
		if err := linux.SetAttributes(mount, attributes, false); err != nil {
			return err
		}
	}
	return rootdir.AttachFile(r, mount, path)
}

// set replaces the content: readers see the old one, the new one, or in between nothing.
func (t *text) set(content string) error {
	fd := int(t.file.Fd())
	// A file that is overwritten as a whole keeps its page.
	if t.writable || len(content) < t.length {
		if err := syscall.Ftruncate(fd, 0); err != nil {
			return &os.PathError{Op: "truncate", Path: t.file.Name(), Err: err}
		}
	}
	n, err := syscall.Pwrite(fd, []byte(content), 0)
	if err == nil && n != len(content) {
		err = syscall.EIO
	}
	if err != nil {
		return &os.PathError{Op: "write", Path: t.file.Name(), Err: err}
	}
	t.length = len(content)
	return nil
}

func (t *text) close() error {
	if t == nil {
		return nil
	}
	return t.file.Close()
}

// Texts are the files of a box that the agent writes.
type Texts struct {
	machineID, bootID, hostname, hosts, resolvConf *text
	// resolver is what the agent has last written to resolvConf.
	resolver string
	// linked are the lines of other boxes that the agent has last added to hosts.
	linked []string
}

// Files of the kernel with ids of the VM and the boot; /sys/class/dmi/id leads to the first.
const (
	machineIDPath = "/sys/devices/virtual/dmi/id/product_uuid"
	bootIDPath    = "/proc/sys/kernel/random/boot_id"
)

func newTexts() (*Texts, error) {
	if err := rootdir.MountAt("tmpfs", textsDir, rootdir.Harmless, linux.Option{Key: "mode", Value: "0755"}); err != nil {
		return nil, err
	}
	t := &Texts{}
	for _, made := range []struct {
		name string
		mode uint32
		text **text
	}{
		// As the kernel's own are.
		{"product_uuid", 0o400, &t.machineID}, {"boot_id", 0o444, &t.bootID},
		{"hostname", 0o644, &t.hostname}, {"hosts", 0o644, &t.hosts}, {"resolv.conf", 0o644, &t.resolvConf},
	} {
		var err error
		if *made.text, err = newText(made.name, made.mode); err != nil {
			return nil, err
		}
	}
	return t, nil
}

// KernelBootID reads the id that the kernel has for this boot.
func KernelBootID() (string, error) {
	content, err := os.ReadFile(bootIDPath)
	return strings.TrimSpace(string(content)), err
}

// Identify gives the files the ids that the kernel has, and returns that of the boot. It is for a
// guest that is not the copy of another.
func (t *Texts) Identify() (bootID string, err error) {
	for _, known := range []struct {
		path string
		text *text
	}{{machineIDPath, t.machineID}, {bootIDPath, t.bootID}} {
		content, err := os.ReadFile(known.path)
		if errors.Is(err, os.ErrNotExist) {
			continue
		}
		if err != nil {
			return "", err
		}
		if err := known.text.set(string(content)); err != nil {
			return "", err
		}
		bootID = strings.TrimSpace(string(content))
	}
	return bootID, nil
}

// Rename gives the box another host name in the files that hold it.
func (t *Texts) Rename(hostname string, spec *spec.Spec) error {
	if err := t.hostname.set(hostname + "\n"); err != nil {
		return err
	}
	return t.hosts.set(hosts(hostname, spec))
}

// Reidentify gives the box other ids of its VM and its boot.
func (t *Texts) Reidentify(machineID, bootID string) error {
	if err := t.machineID.set(machineID + "\n"); err != nil {
		return err
	}
	return t.bootID.set(bootID + "\n")
}

// Prepare gives each file its page, so that a copy only writes to it.
func (t *Texts) Prepare() error {
	for _, each := range []*text{t.machineID, t.bootID, t.hostname, t.hosts, t.resolvConf} {
		if err := each.set("\n"); err != nil {
			return err
		}
	}
	return nil
}

// Close closes the files, whose content stays.
func (t *Texts) Close() error {
	if t == nil {
		return nil
	}
	return errors.Join(t.machineID.close(), t.bootID.close(), t.hostname.close(), t.hosts.close(), t.resolvConf.close())
}
