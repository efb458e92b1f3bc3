package launchspec

import (
	"strings"
	"testing"
)

func bindingOf(t *testing.T, text string) [32]byte {
	t.Helper()
	spec, err := Parse([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return spec.VolumeBinding()
}

func TestABoxThatMakesAVolumeAndOneThatExpectsItHaveTheSameKeys(t *testing.T) {
	made, pinned := string(textOf(t, "volumes-init")), string(textOf(t, "volumes-id"))
	binding := bindingOf(t, made)
	if binding != bindingOf(t, pinned) {
		t.Error("they have others")
	}
	if binding != bindingOf(t, strings.Replace(pinned, "0123456789abcdef0123456789abcdef", "1123456789abcdef0123456789abcdef", 1)) {
		t.Error("another id has other keys, and so could not be told from a damaged disk")
	}
	for from, to := range map[string]string{
		`"policy":"exact"`:      `"policy":"upgradable"`,
		`"destination":"/data"`: `"destination":"/other"`,
		`"name":"data"`:         `"name":"other"`,
		`"args":["/x"]`:         `"args":["/y"]`,
		`"sealing":"none"`:      `"sealing":"exact"`,
	} {
		if strings.Count(made, from) != 1 {
			t.Fatalf("%s does not stand there once", from)
		}
		if changed := strings.Replace(made, from, to, 1); changed != made && bindingOf(t, changed) == binding {
			t.Errorf("%s has the same keys", to)
		}
	}
}

func TestVolumesAreMountedTheOutermostFirst(t *testing.T) {
	spec, err := Parse([]byte(strings.Replace(string(textOf(t, "volumes-16")), `"destination":"/data/0"`, `"destination":"/data/1/below"`, 1)))
	if err != nil {
		t.Fatal(err)
	}
	mounts := spec.Box().Mounts
	last := mounts[len(mounts)-1]
	if len(mounts) != 16 || last.Destination != "/data/1/below" || *last.Serial != "volume-0" || !last.Sealed {
		t.Errorf("got %+v", mounts)
	}
	for _, m := range mounts {
		if v, found := spec.VolumeOf(*m.Serial); !found || v.Destination != m.Destination {
			t.Errorf("%s: got %+v", *m.Serial, v)
		}
	}
	if _, found := spec.VolumeOf("volume-16"); found {
		t.Error("there is one more")
	}
}

func TestACounterIsAPartOfWhatTheKeysAreBoundTo(t *testing.T) {
	counted := string(textOf(t, "volumes-counter-init"))
	other := strings.Replace(counted, `"counter":"default/db/data"`, `"counter":"default/db/other"`, 1)
	if other == counted || bindingOf(t, other) == bindingOf(t, counted) {
		t.Error("a volume is opened without its counter")
	}
}
