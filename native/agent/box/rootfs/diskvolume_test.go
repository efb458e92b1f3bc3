package rootfs

import (
	"errors"
	"os"
	"syscall"
	"testing"

	"a3s.dev/box/agent/box/rootdir"
	"a3s.dev/box/agent/box/spec"
	"a3s.dev/box/agent/box/tree"
	"a3s.dev/box/agent/linux"
)

// diskForTest makes an image with files at /data, and a filesystem in place of a volume's disk, as
// it is when it was made.
func diskForTest(t *testing.T) (r rootdir.Root, top int, disk string) {
	t.Helper()
	r, image := imageForTest(t)
	must(t, os.MkdirAll(image+"/data/below", 0o750), os.WriteFile(image+"/data/file", []byte("of the image"), 0o640), os.Chown(image+"/data", 70, 71))
	disk = t.TempDir()
	mountForFill(t, "tmpfs", disk, "mode=0755")
	must(t, os.Mkdir(disk+"/lost+found", 0o700))
	top, err := syscall.Open(disk, syscall.O_RDONLY|syscall.O_DIRECTORY, 0)
	must(t, err)
	t.Cleanup(func() { _ = syscall.Close(top) })
	return r, top, disk
}

// namesOf lists what a mount shows.
func namesOf(t *testing.T, mount int) (names []string) {
	t.Helper()
	entries, err := os.ReadDir(tree.ByDescriptor(mount))
	must(t, err)
	for _, entry := range entries {
		names = append(names, entry.Name())
	}
	return names
}

func cloneForTest(t *testing.T, top int, m spec.Mount) (int, bool) {
	t.Helper()
	mount, isFile, err := cloneData(top, m)
	must(t, err)
	t.Cleanup(func() { _ = syscall.Close(mount) })
	return mount, isFile
}

func TestANewDiskGetsWhatTheImageHas(t *testing.T) {
	r, top, _ := diskForTest(t)
	must(t, fillDisk(r, top, "/data"))
	mount, isFile := cloneForTest(t, top, spec.Mount{})
	if names := namesOf(t, mount); isFile || len(names) != 2 || names[0] != "below" || names[1] != "file" {
		t.Errorf("got %v, %v", names, isFile)
	}
	if stat := statOf(t, tree.ByDescriptor(mount)+"/."); stat.Uid != 70 || stat.Gid != 71 || stat.Mode&0o7777 != 0o750 {
		t.Errorf("got %+v", stat)
	}
}

func TestADiskWithoutRoomHasNothingOfTheFill(t *testing.T) {
	r, image := imageForTest(t)
	must(t, os.MkdirAll(image+"/data/dir", 0o755), os.WriteFile(image+"/data/dir/big", make([]byte, 1<<20), 0o600))
	disk := t.TempDir()
	mountForFill(t, "tmpfs", disk, "size=64k")
	top, err := syscall.Open(disk, syscall.O_RDONLY|syscall.O_DIRECTORY, 0)
	must(t, err)
	defer syscall.Close(top)
	var full *FullError
	if err := fillDisk(r, top, "/data"); !errors.As(err, &full) {
		t.Errorf("got %v", err)
	}
	entries, err := os.ReadDir(disk + "/fill")
	if _, seen := os.Lstat(disk + "/data"); err != nil || len(entries) != 0 || !os.IsNotExist(seen) {
		t.Errorf("got %v, %v; what boxes see: %v", entries, err, seen)
	}
}

func TestADiskOnWhichBoxesHaveFilesIsNotFilled(t *testing.T) {
	r, top, disk := diskForTest(t)
	must(t, os.Mkdir(disk+"/data", 0o700), os.WriteFile(disk+"/data/own", nil, 0o600), fillDisk(r, top, "/data"))
	mount, _ := cloneForTest(t, top, spec.Mount{})
	if names := namesOf(t, mount); len(names) != 1 || names[0] != "own" {
		t.Errorf("got %v", names)
	}
}

func TestAFillOfADiskThatWasCutOffIsMadeAgain(t *testing.T) {
	r, top, disk := diskForTest(t)
	must(t, os.Mkdir(disk+"/data", 0o700), os.MkdirAll(disk+"/fill/half", 0o700), os.WriteFile(disk+"/fill/file", []byte("h"), 0o600))
	must(t, fillDisk(r, top, "/data"))
	content, err := os.ReadFile(disk + "/data/file")
	if _, missing := os.Lstat(disk + "/fill"); err != nil || string(content) != "of the image" || !os.IsNotExist(missing) {
		t.Errorf("got %q, %v; the fill: %v", content, err, missing)
	}
	if _, err := os.Lstat(disk + "/data/half"); !os.IsNotExist(err) {
		t.Errorf("a leftover: %v", err)
	}
}

func TestADiskThatWasNotFilledIsAnEmptyDirectory(t *testing.T) {
	_, top, disk := diskForTest(t)
	must(t, syscall.Mount("", disk, "", syscall.MS_REMOUNT|syscall.MS_RDONLY, ""))
	untouched, _ := cloneForTest(t, top, spec.Mount{Readonly: true})
	must(t, syscall.Mount("", disk, "", syscall.MS_REMOUNT, ""))
	readonly, _ := cloneForTest(t, top, spec.Mount{Readonly: true})
	writable, _ := cloneForTest(t, top, spec.Mount{})
	for _, mount := range []int{untouched, readonly, writable} {
		if names := namesOf(t, mount); len(names) != 0 || statOf(t, tree.ByDescriptor(mount)+"/.").Mode&0o7777 != 0o755 {
			t.Errorf("got %v", names)
		}
	}
	if err := os.WriteFile(tree.ByDescriptor(readonly)+"/x", nil, 0o600); !errors.Is(err, syscall.EROFS) {
		t.Errorf("a write is %v", err)
	}
}

func TestAPartOfADiskIsMountedWhereItStaysWithinTheDisk(t *testing.T) {
	_, top, disk := diskForTest(t)
	must(t, os.MkdirAll(disk+"/data/a/b", 0o755), os.WriteFile(disk+"/data/a/file", []byte("x"), 0o600), os.Symlink("a", disk+"/data/in"),
		os.Symlink("../lost+found", disk+"/data/up"), os.Symlink("/etc", disk+"/data/root"), syscall.Mkfifo(disk+"/data/fifo", 0o600))
	for part, want := range map[string]struct {
		isFile bool
		err    error
	}{
		"a/b": {false, nil}, "in/file": {true, nil}, ".": {false, nil}, "up": {false, syscall.EXDEV}, "root": {false, syscall.EXDEV},
		"../lost+found": {false, syscall.EXDEV}, "none": {false, syscall.ENOENT}, "fifo": {false, errNoPart},
	} {
		mount, isFile, err := cloneData(top, spec.Mount{Subpath: &part, Readonly: true})
		if !errors.Is(err, want.err) || isFile != want.isFile {
			t.Errorf("%s: got %v, %v", part, isFile, err)
		}
		if err != nil {
			continue
		}
		if err := linux.SetAttributes(mount, linux.Nodev, false); err != nil {
			t.Errorf("%s is no mount of its own: %v", part, err)
		}
		must(t, syscall.Close(mount))
	}
}

func TestADiskIsFilledBeforeAnyOfItsMountsIsMade(t *testing.T) {
	r, image := imageForTest(t)
	must(t, os.Mkdir(image+"/data", 0o755), os.WriteFile(image+"/data/file", []byte("x"), 0o600))
	mountForFill(t, "tmpfs", "/run", "")
	serial, fill := "volume-0", true
	mountForFill(t, "tmpfs", volumeDir(serial), "")
	part := "file"
	must(t, mountAsked(r, &spec.Spec{Mounts: []spec.Mount{
		{Kind: spec.MountDisk, Serial: &serial, Destination: "/a", Readonly: true},
		{Kind: spec.MountDisk, Serial: &serial, Destination: "/part", Subpath: &part},
		{Kind: spec.MountDisk, Serial: &serial, Destination: "/data", Fill: &fill},
	}}, Shares{}))
	must(t, os.WriteFile(image+"/data/file", []byte("of the box"), 0o600))
	for _, name := range []string{"/a/file", "/part"} {
		if content, err := os.ReadFile(image + name); err != nil || string(content) != "of the box" {
			t.Errorf("%s: got %q, %v", name, content, err)
		}
	}
	if err := os.WriteFile(image+"/a/new", nil, 0o600); !errors.Is(err, syscall.EROFS) {
		t.Errorf("a write is %v", err)
	}
}
