//go:build guest

package layers

import (
	"bytes"
	"errors"
	"os"
	"strings"
	"syscall"
	"testing"

	"a3s.dev/box/agent/box/spec"
	"a3s.dev/box/agent/dm"
	"a3s.dev/box/agent/guesttest"
)

func TestMain(m *testing.M) {
	if os.Getpid() != 1 {
		os.Exit(m.Run())
	}
	guesttest.Start("^TestGuest")
	guesttest.End(m.Run())
}

func layerOf(t *testing.T, serial, tree string) spec.Layer {
	t.Helper()
	made := guesttest.TreeOf(t, tree)
	return spec.Layer{Serial: serial, Verity: &spec.Verity{Bytes: made.Bytes, Root: made.Root, Salt: made.Salt}}
}

// mountForTest mounts layers, and unmounts them when the test ends.
func mountForTest(t *testing.T, layers ...spec.Layer) ([]string, error) {
	t.Helper()
	disks, err := ListDisks()
	if err != nil {
		t.Fatal(err)
	}
	for index := range usualLayers {
		if err := os.MkdirAll(layerDir(index), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	t.Cleanup(func() {
		for index, layer := range layers {
			// Where one was refused there is no other.
			_ = syscall.Unmount(layerDir(index), 0)
			_ = dm.Device{Name: layer.Serial}.Remove()
		}
	})
	return MountLayers(layers, disks)
}

func TestGuestLayersAreMountedAsTheyWereMeasured(t *testing.T) {
	paths, err := mountForTest(t, layerOf(t, "good", "good"), layerOf(t, "other", "other"))
	if err != nil {
		t.Fatal(err)
	}
	for index, want := range []string{"g", "o"} {
		content, err := os.ReadFile(paths[index] + "/file")
		if err != nil || !strings.HasSuffix(string(content), want) {
			t.Errorf("%s: %v", paths[index], err)
		}
	}
	mounts, err := os.ReadFile("/proc/self/mounts")
	if err != nil || !strings.Contains(string(mounts), "/dev/dm-0 "+paths[0]+" erofs ro,nodev") {
		t.Errorf("%s, %v", mounts, err)
	}
	if err := os.WriteFile(paths[0]+"/file", nil, 0o600); !errors.Is(err, syscall.EROFS) {
		t.Errorf("a write is %v", err)
	}
}

func TestGuestPlainBoxesIgnoreATree(t *testing.T) {
	paths, err := mountForTest(t, spec.Layer{Serial: "good"})
	if err != nil {
		t.Fatal(err)
	}
	if content, err := os.ReadFile(paths[0] + "/file"); err != nil || !strings.HasSuffix(string(content), "g") {
		t.Errorf("%s: %v", paths[0], err)
	}
}

func TestGuestLayersThatAreOthersAreRefused(t *testing.T) {
	for name, layers := range map[string][]spec.Layer{
		"layers in the wrong order": {layerOf(t, "other", "good"), layerOf(t, "good", "other")},
		"one layer twice":           {layerOf(t, "good", "good"), layerOf(t, "short", "other")},
		"a truncated layer":         {layerOf(t, "short", "good")},
		"the disk of another layer": {layerOf(t, "one", "good")},
		"a damaged root block":      {layerOf(t, "bad-root", "good")},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := mountForTest(t, layers...)
			var tampered *dm.VerityError
			if !errors.As(err, &tampered) {
				t.Errorf("got %v", err)
			}
		})
	}
}

func TestGuestAFlippedByteIsNeverRead(t *testing.T) {
	paths, err := mountForTest(t, layerOf(t, "bad-data", "good"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.ReadFile(paths[0] + "/file"); !errors.Is(err, syscall.EIO) {
		t.Errorf("got %v", err)
	}
}

func changesForTest(t *testing.T, changes spec.Changes, memory int64) {
	t.Helper()
	disks, err := ListDisks()
	if err != nil {
		t.Fatal(err)
	}
	if err := MountChanges(ChangesDir, changes, disks, memory); err != nil {
		t.Fatal(err)
	}
}

func TestGuestChangesInMemoryAreBounded(t *testing.T) {
	limit := int64(32 << 20)
	changesForTest(t, spec.Changes{Kind: spec.ChangesMemory}, limit)
	defer UnmountChanges(ChangesDir)
	var stat syscall.Statfs_t
	if err := syscall.Statfs(ChangesDir, &stat); err != nil || int64(stat.Blocks)*stat.Bsize != limit/2 {
		t.Errorf("it has %d blocks of %d bytes, %v", stat.Blocks, stat.Bsize, err)
	}
	if err := os.WriteFile(ChangesDir+"/x", make([]byte, limit), 0o600); !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("a full one is %v", err)
	}
}

func TestGuestChangesHaveTheSizeThatTheyWereGiven(t *testing.T) {
	serial, size := "changes", int64(16<<20)
	for _, changes := range []spec.Changes{{Kind: spec.ChangesMemory, Bytes: &size}, {Kind: spec.ChangesEncrypted, Serial: &serial, Bytes: &size}} {
		changesForTest(t, changes, 128<<20)
		var stat syscall.Statfs_t
		if err := syscall.Statfs(ChangesDir, &stat); err != nil || int64(stat.Blocks)*stat.Bsize > size || int64(stat.Blocks)*stat.Bsize < size/2 {
			t.Errorf("%s has %d blocks of %d bytes, %v", changes.Kind, stat.Blocks, stat.Bsize, err)
		}
		if err := os.WriteFile(ChangesDir+"/x", make([]byte, 2*size), 0o600); !errors.Is(err, syscall.ENOSPC) {
			t.Errorf("a full one is %v", err)
		}
		if err := UnmountChanges(ChangesDir); err != nil {
			t.Fatal(err)
		}
		for _, name := range []string{"changes", "changes-integrity"} {
			// Changes in memory have none.
			_ = dm.Device{Name: name}.Remove()
		}
	}
}

func TestGuestChangesForWhichThereIsNoRoomAreRefused(t *testing.T) {
	disks, err := ListDisks()
	if err != nil {
		t.Fatal(err)
	}
	serial, size := "changes", int64(1<<40)
	var small *SizeError
	for _, changes := range []spec.Changes{{Kind: spec.ChangesMemory, Bytes: &size}, {Kind: spec.ChangesEncrypted, Serial: &serial, Bytes: &size}} {
		if err := MountChanges(ChangesDir, changes, disks, 64<<20); !errors.As(err, &small) || small.Asked != size {
			t.Errorf("%s: got %v", changes.Kind, err)
		}
	}
}

func TestGuestEncryptedChangesAreReadBack(t *testing.T) {
	serial := "changes"
	changesForTest(t, spec.Changes{Kind: spec.ChangesEncrypted, Serial: &serial}, 64<<20)
	content := bytes.Repeat([]byte(guesttest.Word(t, "marker")), 1000)
	path := ChangesDir + UpperName + "/file"
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	syscall.Sync()
	if err := os.WriteFile("/proc/sys/vm/drop_caches", []byte("3"), 0); err != nil {
		t.Fatal(err)
	}
	if read, err := os.ReadFile(path); err != nil || !bytes.Equal(read, content) {
		t.Errorf("got %d bytes, %v", len(read), err)
	}
	if err := AbandonChanges(); err != nil {
		t.Fatal(err)
	}
	// From now on nothing is written, whatever waits for it.
	if err := os.WriteFile(path, content, 0o600); !errors.Is(err, syscall.EIO) {
		t.Errorf("a write to what was given up is %v", err)
	}
	if err := UnmountChanges(ChangesDir); err != nil {
		t.Error(err)
	}
}
