//go:build guest

package dm

import (
	"bytes"
	"errors"
	"os"
	"strings"
	"syscall"
	"testing"

	"a3s.dev/box/agent/guesttest"
)

func TestMain(m *testing.M) {
	guesttest.Start("")
	guesttest.End(m.Run())
}

func treeOf(t *testing.T, name string) *Verity {
	t.Helper()
	v := Verity(guesttest.TreeOf(t, name))
	return &v
}

// readAll reads every block, and answers the numbers of those that cannot be read.
func readAll(t *testing.T, path string, blocks int64) (broken []int64) {
	t.Helper()
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	for block := range blocks {
		_, err := file.ReadAt(make([]byte, blockBytes), block*blockBytes)
		switch {
		case err == nil:
		case errors.Is(err, syscall.EIO):
			broken = append(broken, block)
		default:
			t.Fatalf("block %d: %v", block, err)
		}
	}
	return broken
}

func writeTo(path string) error {
	file, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	defer file.Close()
	_, err = file.Write(make([]byte, blockBytes))
	return err
}

func TestTheKernelSpeaksVersionFour(t *testing.T) {
	version, err := Version()
	if err != nil || version[0] != 4 {
		t.Fatalf("got %v, %v", version, err)
	}
}

func TestWhatHasItsTreeIsRead(t *testing.T) {
	for _, name := range []string{"good", "one"} {
		v := treeOf(t, name)
		device, err := OpenVerity("good", guesttest.Disk(t, name), v)
		if err != nil {
			t.Fatal(name, err)
		}
		if broken := readAll(t, device.Path, v.Bytes/blockBytes); broken != nil {
			t.Errorf("%s: blocks %v cannot be read", name, broken)
		}
		if size, err := sizeOf(device.Path); size != v.Bytes || err != nil {
			t.Errorf("%s: it has %d bytes, %v", name, size, err)
		}
		if err := writeTo(device.Path); !errors.Is(err, syscall.EPERM) {
			t.Errorf("%s: a write is %v", name, err)
		}
		if err := os.MkdirAll("/run/layer", 0o755); err != nil {
			t.Fatal(err)
		}
		if err := syscall.Mount(device.Path, "/run/layer", "erofs", syscall.MS_RDONLY, ""); err != nil {
			t.Fatal(err)
		}
		if name == "good" {
			content, err := os.ReadFile("/run/layer/file")
			if err != nil || !bytes.HasPrefix(content, []byte("content ")) {
				t.Errorf("got %.20q, %v", content, err)
			}
		}
		if err := errors.Join(syscall.Unmount("/run/layer", 0), device.Remove()); err != nil {
			t.Fatal(err)
		}
	}
}

func TestAFlippedBitIsAnErrorWhereItIs(t *testing.T) {
	for _, c := range []struct {
		disk string
		// From and to are the blocks that the digest which was changed stands for.
		from, to int64
	}{{"bad-data", 100, 101}, {"bad-tree", 128, 256}} {
		v := treeOf(t, "good")
		device, err := OpenVerity("flipped", guesttest.Disk(t, c.disk), v)
		if err != nil {
			t.Fatal(c.disk, err)
		}
		broken := readAll(t, device.Path, v.Bytes/blockBytes)
		if int64(len(broken)) != c.to-c.from || broken[0] != c.from {
			t.Errorf("%s: blocks %v cannot be read", c.disk, broken)
		}
		// Once more, from the disk.
		if broken := readAll(t, device.Path, v.Bytes/blockBytes); int64(len(broken)) != c.to-c.from {
			t.Errorf("%s: later blocks %v cannot be read", c.disk, broken)
		}
		if err := device.Remove(); err != nil {
			t.Fatal(err)
		}
	}
}

func TestWhatIsNotTheDiskIsRefused(t *testing.T) {
	other := func(change func(*Verity)) *Verity {
		v := *treeOf(t, "good")
		change(&v)
		return &v
	}
	for name, c := range map[string]struct {
		disk   string
		verity *Verity
		reason string
	}{
		"another root":      {"good", other(func(v *Verity) { v.Root[31] ^= 1 }), "the disk has another root: read /dev/dm-"},
		"another salt":      {"good", other(func(v *Verity) { v.Salt[0] ^= 1 }), "the disk has another root"},
		"another disk":      {"one", treeOf(t, "good"), "the disk has 4096 bytes"},
		"another, as large": {"other", treeOf(t, "good"), "the disk has another root"},
		"another tree":      {"good", treeOf(t, "other"), "the disk has another root"},
		"less data":         {"good", other(func(v *Verity) { v.Bytes -= blockBytes }), "the disk has another root"},
		"a short disk":      {"short", treeOf(t, "good"), "the disk has "},
		"no bytes":          {"good", other(func(v *Verity) { v.Bytes = 0 }), "0 bytes of data have no hash tree"},
		"an overflow":       {"good", other(func(v *Verity) { v.Bytes = 1<<63 - 4096 }), "9223372036854771712 bytes of data have no hash tree"},
	} {
		device, err := OpenVerity("refused", guesttest.Disk(t, c.disk), c.verity)
		var refused *VerityError
		if !errors.As(err, &refused) || !strings.HasPrefix(refused.Error(), c.reason) {
			t.Errorf("%s: got %v", name, err)
		}
		if err == nil {
			device.Remove()
		}
		// Nothing of it is left: the name is free.
		if err := (Device{Name: "refused"}).Remove(); !errors.Is(err, syscall.ENXIO) {
			t.Errorf("%s: a device was left: %v", name, err)
		}
	}
}

func TestATableThatTheKernelRefusesLeavesNothing(t *testing.T) {
	_, err := Create("wrong", flagReadonly, Target{Sectors: 8, Kind: "no-such", Params: nil})
	if err == nil || !strings.HasPrefix(err.Error(), "load table of no-such into wrong: ") {
		t.Errorf("got %v", err)
	}
	if err := (Device{Name: "wrong"}).Remove(); !errors.Is(err, syscall.ENXIO) {
		t.Errorf("a device was left: %v", err)
	}
}
