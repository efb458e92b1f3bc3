package rootfs

import (
	"errors"
	"os"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"a3s.dev/box/agent/box/rootdir"
	"a3s.dev/box/agent/box/rootdir/rootdirtest"
	"a3s.dev/box/agent/box/tree"
	"a3s.dev/box/agent/guesttest"
	"a3s.dev/box/agent/linux"
)

// imageForTest makes a filesystem in place of an image, and a mount namespace for it that ends with
// the test.
func imageForTest(t *testing.T) (rootdir.Root, string) {
	t.Helper()
	guesttest.NeedRoot(t)
	dir := t.TempDir()
	ownMountsForTest(t)
	mountForFill(t, "tmpfs", dir, "")
	r, err := rootdir.OpenDirectory(dir)
	must(t, err)
	t.Cleanup(func() { _ = syscall.Close(r.FD) })
	return r, dir
}

// volumeForTest makes a filesystem in place of a share, and returns a path to it besides.
func volumeForTest(t *testing.T, kind string) (int, string) {
	t.Helper()
	fd, err := linux.NewMount(kind, linux.Nodev)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = syscall.Close(fd) })
	return fd, "/proc/self/fd/" + strconv.Itoa(fd)
}

// must ends a test at the first error.
func must(t *testing.T, errs ...error) {
	t.Helper()
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
}

func statOf(t *testing.T, path string) syscall.Stat_t {
	t.Helper()
	var stat syscall.Stat_t
	if err := syscall.Lstat(path, &stat); err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	return stat
}

// refusedCopy checks that a fill fails on one path of the destination.
func refusedCopy(t *testing.T, err error, path string, cause error) {
	t.Helper()
	var failed *tree.Error
	if !errors.As(err, &failed) || failed.Op != "copy" || failed.Path != path || !errors.Is(err, cause) {
		t.Errorf("got %v, want %s: %v", err, path, cause)
	}
}

func TestAVolumeWithoutRoomIsTold(t *testing.T) {
	r, image := imageForTest(t)
	must(t, os.MkdirAll(image+"/data/dir", 0o755), os.WriteFile(image+"/data/dir/big", make([]byte, 1<<20), 0o600))
	fd, err := linux.NewMount("tmpfs", linux.Nodev, linux.Option{Key: "size", Value: "64k"})
	must(t, err)
	defer syscall.Close(fd)
	failed := fillVolume(r, fd, "/data")
	refusedCopy(t, failed, "dir/big", syscall.ENOSPC)
	var full *FullError
	if !errors.As(failed, &full) {
		t.Errorf("got %v", failed)
	}
}

func TestAVolumeGetsWhatTheImageHas(t *testing.T) {
	r, image := imageForTest(t)
	data := image + "/data"
	stamp := time.Unix(1_000_000_000, 123_456_789)
	old := []syscall.Timespec{syscall.NsecToTimespec(stamp.Add(time.Hour).UnixNano()), syscall.NsecToTimespec(stamp.UnixNano())}
	must(t, os.MkdirAll(data+"/dir/below", 0o755), os.WriteFile(data+"/file", []byte("content"), 0o600), os.WriteFile(data+"/dir/empty", nil, 0o600),
		os.WriteFile(data+"/name with\nnewline", []byte(strings.Repeat("0123456789", 300_000)), 0o600), os.Symlink("../../nowhere", data+"/dir/link"),
		syscall.Mkfifo(data+"/fifo", 0o600), os.Link(data+"/file", data+"/dir/below/again"), os.Link(data+"/file", data+"/beside"),
		os.Link(data+"/dir/link", data+"/dir/below/link"))
	socket, err := syscall.Socket(syscall.AF_UNIX, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	must(t, err, syscall.Bind(socket, &syscall.SockaddrUnix{Name: data + "/socket"}), syscall.Close(socket))
	modes := map[string]uint32{"": 0o1777, "/file": 0o6755, "/name with\nnewline": 0o4, "/fifo": 0o620, "/dir": 0o2750, "/dir/empty": 0, "/dir/below": 0o500}
	for name, mode := range modes {
		must(t, os.Lchown(data+name, 1000, 2000), syscall.Chmod(data+name, mode))
	}
	must(t, os.Lchown(data+"/dir/link", 3000, 4000))
	names := []string{"/file", "/name with\nnewline", "/fifo", "/dir/empty", "/dir/link", "/dir/below", "/dir", ""}
	for _, name := range names {
		fd, err := linux.OpenAt(-1, data+name, linux.OPath|syscall.O_NOFOLLOW, 0, 0)
		must(t, err, syscall.UtimesNano(tree.ByDescriptor(fd), old), syscall.Close(fd))
	}

	fd, volume := volumeForTest(t, "tmpfs")
	must(t, fillVolume(r, fd, "/data"))
	for _, name := range names {
		got, want := statOf(t, volume+"/."+name), statOf(t, data+name)
		if got.Mode != want.Mode || got.Uid != want.Uid || got.Gid != want.Gid || got.Mtim != want.Mtim {
			t.Errorf("%q: got %o of %d:%d at %v, want %o of %d:%d at %v", name, got.Mode, got.Uid, got.Gid, got.Mtim, want.Mode, want.Uid, want.Gid, want.Mtim)
		}
	}
	for _, name := range []string{"/file", "/name with\nnewline", "/dir/empty"} {
		got, err := os.ReadFile(volume + name)
		want, wantErr := os.ReadFile(data + name)
		if err != nil || wantErr != nil || string(got) != string(want) {
			t.Errorf("%q: got %d bytes, %v; want %d, %v", name, len(got), err, len(want), wantErr)
		}
	}
	if target, err := os.Readlink(volume + "/dir/link"); err != nil || target != "../../nowhere" {
		t.Errorf("the link leads to %s, %v", target, err)
	}
	for _, linked := range [][]string{{"/file", "/beside", "/dir/below/again"}, {"/dir/link", "/dir/below/link"}} {
		first := statOf(t, volume+linked[0])
		for _, name := range linked[1:] {
			if other := statOf(t, volume+name); other.Ino != first.Ino || int(other.Nlink) != len(linked) {
				t.Errorf("%s has %d links, and is not %s", name, other.Nlink, linked[0])
			}
		}
	}
	if _, err := os.Lstat(volume + "/socket"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the socket: %v", err)
	}
}

func TestAVolumeIsEmptiedFirst(t *testing.T) {
	r, image := imageForTest(t)
	fd, volume := volumeForTest(t, "tmpfs")
	must(t, os.MkdirAll(image+"/data", 0o700), os.WriteFile(image+"/data/file", []byte("new"), 0o600), os.Chmod(volume+"/.", 0o711),
		os.MkdirAll(volume+"/a/b/c", 0o755), os.MkdirAll(volume+"/a/d", 0), os.WriteFile(volume+"/file", []byte("older"), 0o600),
		os.WriteFile(volume+"/a/b/c/.x", nil, 0o600), os.Symlink(image, volume+"/a/link"), os.MkdirAll(volume+"/.moved-2/x/y", 0o755),
		os.WriteFile(volume+"/.moved-1", nil, 0o600))
	must(t, fillVolume(r, fd, "/data"))
	entries, err := os.ReadDir(volume)
	if err != nil || len(entries) != 1 || entries[0].Name() != "file" || statOf(t, volume+"/file").Size != 3 || statOf(t, volume+"/.").Mode&0o777 != 0o700 {
		t.Errorf("got %v, %v", entries, err)
	}
	if _, err := os.Stat(image + "/data/file"); err != nil {
		t.Error(err)
	}
}

func TestAnImageWithoutTheDirectoryLeavesAVolumeEmpty(t *testing.T) {
	r, image := imageForTest(t)
	must(t, os.WriteFile(image+"/plain", nil, 0o600))
	for _, destination := range []string{"/missing", "/missing/below", "/plain", "/plain/below"} {
		fd, volume := volumeForTest(t, "tmpfs")
		must(t, os.Chmod(volume+"/.", 0o711), os.WriteFile(volume+"/left", nil, 0o600), fillVolume(r, fd, destination))
		entries, err := os.ReadDir(volume)
		if err != nil || len(entries) > 0 || statOf(t, volume+"/.").Mode&0o777 != 0o711 {
			t.Errorf("%s: got %v, %v", destination, entries, err)
		}
	}
}

func TestAVolumeGetsNothingFromOutsideOfTheImage(t *testing.T) {
	guesttest.NeedRoot(t)
	r, inside, outside := rootdirtest.WithLinks(t)
	must(t, os.WriteFile(outside+"/secret", nil, 0o600), os.WriteFile(inside+"/real/file", nil, 0o600), os.Symlink("..", inside+"/real/up"),
		os.Symlink("loop", inside+"/real/loop"), os.Symlink(outside, inside+"/real/away"))
	for destination, want := range map[string]int{"/fine": 4, "/absolute": 0, "/up": 0, "/dangling": 0, "/real/away": 0, "/real/../fine": 4} {
		fd, volume := volumeForTest(t, "tmpfs")
		must(t, fillVolume(r, fd, destination))
		entries, err := os.ReadDir(volume)
		if err != nil || len(entries) != want {
			t.Errorf("%s: got %v, %v", destination, entries, err)
		}
		if target, err := os.Readlink(volume + "/away"); want > 0 && (err != nil || target != outside) {
			t.Errorf("%s: the link leads to %s, %v", destination, target, err)
		}
	}
	fd, _ := volumeForTest(t, "tmpfs")
	if err := fillVolume(r, fd, "/loop"); !errors.Is(err, syscall.ELOOP) {
		t.Errorf("a loop: %v", err)
	}
}

// ownMountsForTest gives the test a mount namespace of its own. Its thread ends with it.
func ownMountsForTest(t *testing.T) {
	t.Helper()
	runtime.LockOSThread()
	must(t, linux.Unshare(syscall.CLONE_NEWNS), syscall.Mount("", "/", "", syscall.MS_REC|syscall.MS_PRIVATE, ""))
}

// mountForFill mounts until the test ends.
func mountForFill(t *testing.T, kind, path, options string) {
	t.Helper()
	must(t, os.MkdirAll(path, 0o755), syscall.Mount(kind, path, kind, 0, options))
	t.Cleanup(func() { _ = syscall.Unmount(path, syscall.MNT_DETACH) })
}

// The files of an overlay have the device numbers of their layers.
func TestAVolumeGetsWhatTheLayersOfAnOverlayHave(t *testing.T) {
	guesttest.NeedRoot(t)
	dir := t.TempDir()
	ownMountsForTest(t)
	for _, layer := range []string{"/a", "/b", "/changes"} {
		mountForFill(t, "tmpfs", dir+layer, "")
	}
	must(t, os.MkdirAll(dir+"/changes/upper", 0o755), os.MkdirAll(dir+"/changes/work", 0o755), os.MkdirAll(dir+"/a/data/dir", 0o755),
		os.MkdirAll(dir+"/b/data/dir", 0o700), os.WriteFile(dir+"/a/data/file", []byte("a"), 0o600), os.Link(dir+"/a/data/file", dir+"/a/data/dir/linked"),
		os.WriteFile(dir+"/b/data/dir/hidden", nil, 0o600), os.WriteFile(dir+"/b/data/other", []byte("b"), 0o600),
		os.Link(dir+"/b/data/other", dir+"/b/data/dir/other"))
	mountForFill(t, "overlay", dir+"/root", "lowerdir="+dir+"/a:"+dir+"/b,upperdir="+dir+"/changes/upper,workdir="+dir+"/changes/work")
	must(t, os.Remove(dir+"/root/data/dir/hidden"), os.WriteFile(dir+"/root/data/new", nil, 0o600))
	r, err := rootdir.OpenDirectory(dir + "/root")
	must(t, err)
	defer func() { _ = syscall.Close(r.FD) }()
	fd, volume := volumeForTest(t, "tmpfs")
	must(t, fillVolume(r, fd, "/data"))
	for _, linked := range [][2]string{{"/file", "/dir/linked"}, {"/other", "/dir/other"}} {
		if first, second := statOf(t, volume+linked[0]), statOf(t, volume+linked[1]); first.Ino != second.Ino || first.Nlink != 2 || first.Size != 1 {
			t.Errorf("%s and %s are two files", linked[0], linked[1])
		}
	}
	entries, err := os.ReadDir(volume)
	below, belowErr := os.ReadDir(volume + "/dir")
	if err != nil || len(entries) != 4 || belowErr != nil || len(below) != 2 {
		t.Errorf("got %v, %v and %v, %v", entries, err, below, belowErr)
	}
}

func TestAVolumeGetsNothingOfWhatIsMountedInTheBox(t *testing.T) {
	r, image := imageForTest(t)
	must(t, os.MkdirAll(image+"/data/below", 0o755), os.WriteFile(image+"/data/below/file", []byte("image"), 0o600))
	for _, place := range []string{"/data/below", "/data"} {
		mountForFill(t, "tmpfs", image+place, "")
		must(t, os.WriteFile(image+place+"/mounted", nil, 0o600))
		for destination, file := range map[string]string{"/data": "/below/file", "/data/below": "/file"} {
			fd, volume := volumeForTest(t, "tmpfs")
			must(t, fillVolume(r, fd, destination))
			if content, err := os.ReadFile(volume + file); err != nil || string(content) != "image" {
				t.Errorf("%s below %s: got %q, %v", destination, place, content, err)
			}
			for _, name := range []string{"/mounted", "/below/mounted"} {
				if _, err := os.Lstat(volume + name); !errors.Is(err, os.ErrNotExist) {
					t.Errorf("%s below %s has %s: %v", destination, place, name, err)
				}
			}
		}
		// A tree is never left by a mount in it, should there be one.
		if place == "/data/below" {
			source, err := syscall.Open(image+"/data", syscall.O_RDONLY, 0)
			must(t, err)
			fd, _ := volumeForTest(t, "tmpfs")
			target, err := tree.OpenDirectory(fd, ".")
			must(t, err)
			refusedCopy(t, tree.Copy(source, target), "below", syscall.EXDEV)
			must(t, syscall.Close(source), syscall.Close(target))
		}
	}
}

func TestWhatAVolumeCannotHoldIsRefused(t *testing.T) {
	for name, c := range map[string]struct {
		make  func(path string) error
		cause error
	}{
		"a character device": {func(path string) error { return syscall.Mknod(path, syscall.S_IFCHR|0o666, 1<<8|3) }, tree.ErrDevice},
		"a block device":     {func(path string) error { return syscall.Mknod(path, syscall.S_IFBLK|0o666, 7<<8) }, tree.ErrDevice},
		"capabilities": {func(path string) error {
			capabilities := make([]byte, 20)
			// Revision 2, and CAP_NET_RAW.
			capabilities[3], capabilities[5] = 2, 0x20
			return errors.Join(os.WriteFile(path, nil, 0o755), syscall.Setxattr(path, "security.capability", capabilities, 0))
		}, tree.ErrCapability},
	} {
		t.Run(name, func(t *testing.T) {
			r, image := imageForTest(t)
			must(t, os.MkdirAll(image+"/data/dir", 0o755), c.make(image+"/data/dir/it"))
			fd, _ := volumeForTest(t, "tmpfs")
			refusedCopy(t, fillVolume(r, fd, "/data"), "dir/it", c.cause)
		})
	}
}

func TestExtendedAttributesAreCopiedWhereTheVolumeHasAny(t *testing.T) {
	r, image := imageForTest(t)
	data := image + "/data"
	long := strings.Repeat("v", 2000)
	must(t, os.MkdirAll(data+"/dir", 0o755), os.WriteFile(data+"/file", nil, 0o400), os.Symlink("file", data+"/link"),
		syscall.Setxattr(data, "user.root", []byte("r"), 0), syscall.Setxattr(data+"/dir", "user.a", []byte("1"), 0),
		syscall.Setxattr(data+"/dir", "user.b", nil, 0), syscall.Setxattr(data+"/file", "user.long", []byte(long), 0),
		syscall.Setxattr(data+"/file", "trusted.overlay.opaque", []byte("y"), 0), syscall.Setxattr(data+"/file", "trusted.other", []byte("o"), 0))
	fd, volume := volumeForTest(t, "tmpfs")
	must(t, fillVolume(r, fd, "/data"))
	buffer := make([]byte, 4096)
	for _, want := range [][3]string{
		{"/.", "user.root", "r"}, {"/dir", "user.a", "1"}, {"/dir", "user.b", ""}, {"/file", "user.long", long}, {"/file", "trusted.other", "o"},
	} {
		if n, err := syscall.Getxattr(volume+want[0], want[1], buffer); err != nil || string(buffer[:n]) != want[2] {
			t.Errorf("%s of %s: got %d bytes, %v", want[1], want[0], n, err)
		}
	}
	if _, err := syscall.Getxattr(volume+"/file", "trusted.overlay.opaque", buffer); err != syscall.ENODATA {
		t.Errorf("an attribute of the overlay: %v", err)
	}

	plain, volume := volumeForTest(t, "ramfs")
	must(t, fillVolume(r, plain, "/data"))
	if n, err := syscall.Listxattr(volume+"/file", buffer); n > 0 || statOf(t, volume+"/file").Mode&0o777 != 0o400 {
		t.Errorf("got %d bytes of names, %v", n, err)
	}
	// user::rw-, user:1000:rw-, group::r--, mask::rw-, other::---
	list := "\x02\x00\x00\x00\x01\x00\x06\x00\xff\xff\xff\xff\x02\x00\x06\x00\xe8\x03\x00\x00\x04\x00\x04\x00\xff\xff\xff\xff" +
		"\x10\x00\x06\x00\xff\xff\xff\xff\x20\x00\x00\x00\xff\xff\xff\xff"
	must(t, syscall.Setxattr(data+"/file", "system.posix_acl_access", []byte(list), 0))
	must(t, fillVolume(r, fd, "/data"))
	refusedCopy(t, fillVolume(r, plain, "/data"), "file", syscall.EOPNOTSUPP)
}

func TestHolesStayHoles(t *testing.T) {
	r, image := imageForTest(t)
	must(t, os.Mkdir(image+"/data", 0o755))
	file, err := os.Create(image + "/data/sparse")
	must(t, err)
	_, middle := file.WriteAt([]byte("middle"), 20<<20)
	must(t, middle, file.Truncate(64<<20), file.Close(), os.WriteFile(image+"/data/hole", nil, 0o600), os.Truncate(image+"/data/hole", 5<<20))
	fd, volume := volumeForTest(t, "tmpfs")
	must(t, fillVolume(r, fd, "/data"))
	stat := statOf(t, volume+"/sparse")
	if stat.Size != 64<<20 || stat.Blocks*512 > 1<<20 || statOf(t, volume+"/hole").Size != 5<<20 {
		t.Errorf("got %d bytes in %d blocks", stat.Size, stat.Blocks)
	}
	content, err := os.ReadFile(volume + "/sparse")
	if err != nil || strings.Trim(string(content), "\x00") != "middle" || string(content[20<<20:20<<20+6]) != "middle" {
		t.Errorf("got %d bytes, %v", len(content), err)
	}
}
