package spec_test

import (
	"slices"
	"testing"

	"a3s.dev/box/agent/box/spec"
)

func TestDriversAreLoadedForWhatABoxAsksFor(t *testing.T) {
	devices := func(names ...string) spec.Confinement { return spec.Confinement{Devices: &names} }
	privileged := true
	for name, c := range map[string]struct {
		box  spec.Spec
		want []string
	}{
		"nothing":           {spec.Spec{}, nil},
		"a network device":  {spec.Spec{Network: spec.Network{Kind: spec.NetworkNIC}}, []string{spec.UseNIC}},
		"an encrypted disk": {spec.Spec{Rootfs: spec.Rootfs{Changes: spec.Changes{Kind: spec.ChangesEncrypted}}}, []string{spec.UseChanges}},
		"/dev/net/tun":      {spec.Spec{Confinement: devices("fuse", "net/tun")}, []string{spec.UseTun}},
		"a privileged box":  {spec.Spec{Confinement: spec.Confinement{Privileged: &privileged}}, []string{spec.UseTun, spec.UseContainers}},
		"a privileged confidential box": {spec.Spec{
			Rootfs: spec.Rootfs{Layers: []spec.Layer{{Verity: &spec.Verity{}}}}, Confinement: spec.Confinement{Privileged: &privileged},
		}, nil},
		"/dev/net/tun of a privileged confidential box": {spec.Spec{
			Rootfs:      spec.Rootfs{Layers: []spec.Layer{{Verity: &spec.Verity{}}}},
			Confinement: spec.Confinement{Privileged: &privileged, Devices: &[]string{"net/tun"}},
		}, []string{spec.UseTun}},
		"another device": {spec.Spec{Confinement: devices("fuse")}, nil},
	} {
		if got := c.box.Uses(); !slices.Equal(got, c.want) {
			t.Errorf("%s: got %v, want %v", name, got, c.want)
		}
	}
}
