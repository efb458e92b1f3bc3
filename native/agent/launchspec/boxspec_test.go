package launchspec

import (
	"crypto/sha256"
	"encoding/hex"
	"reflect"
	"slices"
	"testing"

	"a3s.dev/box/agent/box/spec"
)

func TestABoxHasWhatItsSpecSays(t *testing.T) {
	launched, err := Parse(textOf(t, "most"))
	if err != nil {
		t.Fatal(err)
	}
	b := launched.Box()
	if b.Hostname != "Shop-1.example" || b.Process.Cwd != "/srv/../x" || b.Process.User != "app:1000" || !b.Process.Terminal ||
		!b.Process.Stdin || b.Process.Size != nil || len(b.Process.Args) != 4 || len(b.Process.Env) != 4 {
		t.Errorf("got %+v", b)
	}
	if !b.Rootfs.Readonly || len(b.Rootfs.Layers) != 2 || b.Rootfs.Layers[0].Serial != "layer-0" || b.Rootfs.Layers[1].Serial != "layer-1" {
		t.Errorf("got %+v", b.Rootfs)
	}
	for index, layer := range b.Rootfs.Layers {
		said := launched.Rootfs.Layers[index]
		want := spec.Verity{Bytes: said.Bytes, Root: [32]byte(unhex(t, said.Root)), Salt: sha256.Sum256([]byte(said.DiffID))}
		if layer.Verity == nil || *layer.Verity != want {
			t.Errorf("layer %d: got %+v, want %+v", index, layer.Verity, want)
		}
	}
	if c := b.Rootfs.Changes; c.Kind != spec.ChangesEncrypted || *c.Serial != "changes" {
		t.Errorf("got %+v", c)
	}
	confinement := b.Confinement
	confinement.ReadonlyPaths = confinement.ReadonlyPaths[:len(launched.Confinement.ReadonlyPaths)]
	said := launched.Confinement
	want := spec.Confinement{
		Capabilities: said.Capabilities, NoNewPrivileges: said.NoNewPrivileges, Seccomp: said.Seccomp, MaskedPaths: said.MaskedPaths,
		ReadonlyPaths: said.ReadonlyPaths,
	}
	if !reflect.DeepEqual(confinement, want) || !reflect.DeepEqual(b.Resources, launched.Resources) || len(b.Mounts) != 0 {
		t.Errorf("got %+v", b)
	}
	if n := b.Network; n.Kind != spec.NetworkNIC || n.MAC != nil || *n.Address != "10.0.2.15" || *n.PrefixLength != 24 ||
		*n.Gateway != "10.0.2.2" || *n.MTU != 32700 || (*n.Nameservers)[0] != "10.0.2.3" || len(*n.Search) != 0 {
		t.Errorf("got %+v", n)
	}
}

func TestAPrivilegedSpecGivesTheBoxItsGuest(t *testing.T) {
	spec, err := Parse(textOf(t, "privileged"))
	if err != nil {
		t.Fatal(err)
	}
	b := spec.Box()
	if !b.Confinement.IsPrivileged() || len(b.Confinement.ReadonlyPaths) != 0 || !slices.Contains(b.Confinement.Capabilities, "CAP_SYS_ADMIN") {
		t.Errorf("got %+v", b.Confinement)
	}
}

func TestABoxHasTheOptionsOfItsSpec(t *testing.T) {
	for name, has := range map[string]func(b *spec.Spec) bool{
		"groups":    func(b *spec.Spec) bool { return slices.Equal(*b.Confinement.Groups, []string{"audio", "42"}) },
		"oom-score": func(b *spec.Spec) bool { return *b.Confinement.OOMScore == -1000 },
		"seccomp-own": func(b *spec.Spec) bool {
			return b.Confinement.Seccomp == spec.SeccompProfile && b.Confinement.SeccompProfile.Rules[0].Names[0] == "mkdir"
		},
		"devices": func(b *spec.Spec) bool { return slices.Equal(*b.Confinement.Devices, []string{"fuse", "net/tun"}) },
		"devices-privileged": func(b *spec.Spec) bool {
			return slices.Equal(*b.Confinement.Devices, []string{"net/tun"}) && slices.Contains(b.Uses(), spec.UseTun)
		},
		"device-rules": func(b *spec.Spec) bool {
			return len(*b.Confinement.DeviceRules) == 10 && *(*b.Confinement.DeviceRules)[1].Minor == 64 && b.Confinement.OpensNodes()
		},
		"changes-bytes": func(b *spec.Spec) bool {
			return b.Rootfs.Changes.Kind == spec.ChangesEncrypted && *b.Rootfs.Changes.Bytes == 8<<40
		},
		"changes-bytes-memory": func(b *spec.Spec) bool {
			return b.Rootfs.Changes.Kind == spec.ChangesMemory && *b.Rootfs.Changes.Bytes == 32<<20
		},
		"small": func(b *spec.Spec) bool { return b.Rootfs.Changes.Bytes == nil && b.Confinement.Devices == nil },
		"hosts-two": func(b *spec.Spec) bool {
			return len(*b.Hosts) == 2 && (*b.Hosts)[1] == spec.Host{Name: "web.example", Address: "fd00::1"}
		},
		"resolver-all": func(b *spec.Spec) bool {
			n := b.Network
			return slices.Equal(*n.Nameservers, []string{"9.9.9.9", "1.1.1.1"}) && slices.Equal(*n.Search, []string{"example.com", "_tcp.example"}) &&
				slices.Equal(*n.Options, []string{"ndots:2", "rotate"})
		},
		"resolver-search": func(b *spec.Spec) bool {
			return slices.Equal(*b.Network.Nameservers, []string{"10.0.2.3"}) && len(*b.Network.Search) == 1 && b.Network.Options == nil
		},
		"domainname":  func(b *spec.Spec) bool { return *b.Domainname == "example.com" },
		"sysctls-two": func(b *spec.Spec) bool { return len(*b.Sysctls) == 2 && (*b.Sysctls)[1].Path == "net/core/somaxconn" },
	} {
		launched, err := Parse(textOf(t, name))
		if err != nil {
			t.Fatal(err)
		}
		if !has(launched.Box()) {
			t.Errorf("%s: got %+v", name, launched.Box())
		}
	}
}

// A root without capabilities that writes to /proc/sys/kernel/core_pattern has a program of its own
// executed in the agent's namespaces, where the secure processor is.
func TestNoSpecLetsABoxWriteToTheKernel(t *testing.T) {
	spec, err := Parse(textOf(t, "small"))
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"}
	if got := spec.Box().Confinement.ReadonlyPaths; !slices.Equal(got, want) || len(spec.Confinement.ReadonlyPaths) != 0 {
		t.Errorf("got %v of %v", got, spec.Confinement.ReadonlyPaths)
	}
	spec.Confinement.ReadonlyPaths = []string{"/x", "/proc/sys"}
	if got := spec.Box().Confinement.ReadonlyPaths; !slices.Equal(got, []string{"/x", "/proc/sys", "/proc/bus", "/proc/fs", "/proc/irq", "/proc/sysrq-trigger"}) {
		t.Errorf("got %v", got)
	}
}

func unhex(t *testing.T, text string) []byte {
	t.Helper()
	data, err := hex.DecodeString(text)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func TestABoxHasTheDirectoriesOfItsSpec(t *testing.T) {
	for name, want := range map[string]int{"small": 0, "directories": 3} {
		spec, err := Parse(textOf(t, name))
		if err != nil {
			t.Fatal(err)
		}
		got := spec.Box().Directories
		if want == 0 && got != nil || want != 0 && (got == nil || len(*got) != want || (*got)[2] != "/a/b") {
			t.Errorf("%s: got %v", name, got)
		}
	}
}

func TestABoxWithoutANetworkHasNoAddress(t *testing.T) {
	launched, err := Parse(textOf(t, "small"))
	if err != nil {
		t.Fatal(err)
	}
	if n := launched.Box().Network; n != (spec.Network{Kind: spec.NetworkNone}) {
		t.Errorf("got %+v", n)
	}
	if c := launched.Box().Rootfs.Changes; c != (spec.Changes{Kind: spec.ChangesMemory}) {
		t.Errorf("got %+v", c)
	}
}

func TestABoxHasTheFilesystemsInMemoryOfItsSpec(t *testing.T) {
	for name, want := range map[string]struct {
		tmpfs int
		shm   int64
	}{"small": {0, 0}, "tmpfs": {2, 0}, "shm": {0, 1}} {
		launched, err := Parse(textOf(t, name))
		if err != nil {
			t.Fatal(err)
		}
		b := launched.Box()
		if b.Tmpfs != nil && len(*b.Tmpfs) != want.tmpfs || (b.Tmpfs == nil) != (want.tmpfs == 0) {
			t.Errorf("%s: got %v", name, b.Tmpfs)
		}
		if b.ShmBytes != nil && *b.ShmBytes != want.shm || (b.ShmBytes == nil) != (want.shm == 0) {
			t.Errorf("%s: got %v", name, b.ShmBytes)
		}
		if err := b.CheckIntegrity(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}
