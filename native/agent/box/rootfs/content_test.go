package rootfs

import (
	"errors"
	"os"
	"testing"

	"a3s.dev/box/agent/box/layers"
	"a3s.dev/box/agent/box/rootdir/rootdirtest"
)

func TestDirectoriesOfVolumesAreMadeInTheRoot(t *testing.T) {
	r, inside, outside := rootdirtest.WithLinks(t)
	if err := makeDirectories(r, nil); err != nil {
		t.Error(err)
	}
	if err := makeDirectories(r, &[]string{"/data", "/var/lib/x/", "/absolute/y", "/up/z", "/real"}); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{"/data", "/var/lib/x", "/real"} {
		info, err := os.Stat(inside + path)
		if err != nil || !info.IsDir() || info.Mode().Perm() != 0o755 {
			t.Errorf("%s: %v, %v", path, info, err)
		}
	}
	if entries, err := os.ReadDir(outside); err != nil || len(entries) > 0 {
		t.Errorf("outside has %v, %v", entries, err)
	}
	if err := os.WriteFile(inside+"/plain", nil, 0o600); err != nil {
		t.Fatal(err)
	}
	var failed *layers.DeviceError
	if err := makeDirectories(r, &[]string{"/plain"}); !errors.As(err, &failed) || failed.Name != "/plain" {
		t.Errorf("a file in its place is %v", err)
	}
}
