package box

import (
	"os"
	"runtime"
	"strconv"
	"syscall"

	"a3s.dev/box/agent/linux"
)

// Directories of the agent. All of them but changesDir exist in the box's mount namespace only, and there only while it
// is set up.
const (
	changesDir = "/run/changes"
	upperDir   = changesDir + "/upper"
	workDir    = changesDir + "/work"
	boxDir     = "/run/box"
	layersDir  = boxDir + "/layers"
	nodesDir   = boxDir + "/nodes"
	etcDir     = boxDir + "/etc"
	sharesDir  = boxDir + "/shares"
	rootDir    = boxDir + "/root"
)

// Namespaces are descriptors of the namespaces that every process of the box joins.
type Namespaces struct{ Mount, UTS, IPC, Network, Cgroup int }

func itoa(n int) string { return strconv.Itoa(n) }

// Setup finds the devices of a box, builds its root and its namespaces. Nothing of the box runs yet, so this can be done by a thread of
// the agent; the thread ends with it.
func Setup(spec *Spec, cgroupNamespace int) (*Namespaces, error) {
	type result struct {
		namespaces *Namespaces
		err        error
	}
	done := make(chan result)
	go func() {
		// Never unlocked: the thread that entered the namespaces must not run other goroutines.
		runtime.LockOSThread()
		namespaces, err := setup(spec, cgroupNamespace)
		done <- result{namespaces, err}
	}()
	r := <-done
	return r.namespaces, r.err
}

func setup(spec *Spec, cgroupNamespace int) (*Namespaces, error) {
	disks, err := findDisks(spec.serials())
	if err != nil {
		return nil, err
	}
	nic, err := findNIC(&spec.Network)
	if err != nil {
		return nil, err
	}
	if err := mountChanges(spec.Rootfs.Changes, disks); err != nil {
		return nil, err
	}
	namespaces, err := unshare(cgroupNamespace)
	if err != nil {
		return nil, err
	}
	if err := nic.join(namespaces.Network); err != nil {
		return nil, err
	}
	if err := buildRoot(spec, disks); err != nil {
		return nil, err
	}
	if err := syscall.Sethostname([]byte(spec.Hostname)); err != nil {
		return nil, &linux.Error{Op: "sethostname", On: spec.Hostname, Errno: err.(syscall.Errno)}
	}
	if err := nic.configure(); err != nil {
		return nil, err
	}
	if err := writeSysctls(spec); err != nil {
		return nil, err
	}
	return namespaces, enterRoot()
}

func (s *Spec) serials() []string {
	var serials []string
	for _, layer := range s.Rootfs.Layers {
		serials = append(serials, layer.Serial)
	}
	if s.Rootfs.Changes.Serial != nil {
		serials = append(serials, *s.Rootfs.Changes.Serial)
	}
	return serials
}

func unshare(cgroupNamespace int) (*Namespaces, error) {
	if err := linux.SetNamespace(cgroupNamespace, syscall.CLONE_NEWCGROUP); err != nil {
		return nil, err
	}
	const own = syscall.CLONE_FS | syscall.CLONE_NEWNS | syscall.CLONE_NEWUTS | syscall.CLONE_NEWIPC | syscall.CLONE_NEWNET
	if err := linux.Unshare(own); err != nil {
		return nil, err
	}
	if err := syscall.Mount("", "/", "", syscall.MS_REC|syscall.MS_PRIVATE, ""); err != nil {
		return nil, &linux.Error{Op: "make private", On: "/", Errno: err.(syscall.Errno)}
	}
	namespaces := &Namespaces{Cgroup: cgroupNamespace}
	for name, fd := range map[string]*int{
		"mnt": &namespaces.Mount, "uts": &namespaces.UTS, "ipc": &namespaces.IPC, "net": &namespaces.Network,
	} {
		var err error
		if *fd, err = linux.OpenAt(-1, "/proc/thread-self/ns/"+name, syscall.O_RDONLY, 0, 0); err != nil {
			return nil, err
		}
	}
	return namespaces, nil
}

// writeSysctls sets what Docker sets: any user may listen on any port and send pings. There is no IPv6 way out of a box.
func writeSysctls(spec *Spec) error {
	values := [][2]string{
		{"net/ipv4/ip_unprivileged_port_start", "0"},
		{"net/ipv4/ping_group_range", "0 2147483647"},
	}
	if spec.Network.Kind == NetworkNIC {
		values = append(values, [2]string{"net/ipv6/conf/" + nicName + "/disable_ipv6", "1"})
	}
	for _, value := range values {
		if err := os.WriteFile("/proc/sys/"+value[0], []byte(value[1]), 0); err != nil {
			return err
		}
	}
	return nil
}
