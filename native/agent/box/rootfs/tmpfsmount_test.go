package rootfs

import (
	"errors"
	"os"
	"slices"
	"syscall"
	"testing"

	"a3s.dev/box/agent/box/rootdir"
	"a3s.dev/box/agent/box/spec"
	"a3s.dev/box/agent/linux"
)

func TestATmpfsHasThePermissionsOfTheDirectoryThatIsThere(t *testing.T) {
	r, inside := imageForTest(t)
	must(t, os.Mkdir(inside+"/private", 0o700), os.Chmod(inside+"/private", os.ModeSetgid|0o750), os.Symlink("private", inside+"/link"))
	own := int64(0o1770)
	for _, c := range []struct {
		t    spec.Tmpfs
		want uint32
	}{
		{spec.Tmpfs{Destination: "/private"}, 0o2750},
		{spec.Tmpfs{Destination: "/link"}, 0o2750},
		{spec.Tmpfs{Destination: "/private", Mode: &own}, 0o1770},
		{spec.Tmpfs{Destination: "/none/at/all"}, 0o1777},
		// As at the next start, which finds the directory that this one has made.
		{spec.Tmpfs{Destination: "/none/at/all"}, 0o1777},
	} {
		must(t, mountTmpfs(r, c.t))
		fd, err := r.Open(c.t.Destination, syscall.O_DIRECTORY, 0)
		must(t, err)
		var stat syscall.Stat_t
		must(t, syscall.Fstat(fd, &stat), syscall.Close(fd))
		if got := stat.Mode & 0o7777; got != c.want {
			t.Errorf("%s: got %o, want %o", c.t.Destination, got, c.want)
		}
		must(t, syscall.Unmount(inside+c.t.Destination, syscall.MNT_DETACH))
	}
}

func TestATmpfsIsNotMountedInFilesOfTheKernel(t *testing.T) {
	r, inside := imageForTest(t)
	must(t, os.Mkdir(inside+"/proc", 0o755), os.Symlink("proc/self", inside+"/led"))
	mountForFill(t, "proc", inside+"/proc", "")
	if err := mountTmpfs(r, spec.Tmpfs{Destination: "/led"}); err != rootdir.ErrKernelFiles {
		t.Errorf("got %v", err)
	}
}

func TestSharedMemoryIsResizedOrTakenAway(t *testing.T) {
	r, inside := imageForTest(t)
	shm := inside + shmPath
	must(t, os.MkdirAll(shm, 0o755))
	mountForFill(t, "tmpfs", shm, "size=64k")
	must(t, os.WriteFile(shm+"/in-use", nil, 0o600))
	used, err := os.Open(shm + "/in-use")
	must(t, err)
	defer used.Close()
	must(t, changeShm(r, 1<<20))
	var size syscall.Statfs_t
	must(t, syscall.Statfs(shm, &size))
	if got := size.Blocks * uint64(size.Bsize); got != 1<<20 {
		t.Errorf("got %d bytes", got)
	}
	must(t, changeShm(r, 0))
	if _, err := os.Lstat(shm); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("got %v", err)
	}
	// Something else can be mounted there.
	must(t, mountTmpfs(r, spec.Tmpfs{Destination: shmPath}))
}

func TestMountsComeInTheOrderOfTheirDepth(t *testing.T) {
	for path, want := range map[string]int{"/": 0, "/a": 1, "/a/": 1, "//a/./b": 2, "/a/../b/c": 2} {
		if got := depth(path); got != want {
			t.Errorf("%s: got %d, want %d", path, got, want)
		}
	}
}

func TestAFlagOfATmpfsTakesBackADefault(t *testing.T) {
	got := tmpfsAttributes(spec.Tmpfs{Flags: []string{spec.FlagExec, spec.FlagNoatime, spec.FlagNodiratime, spec.FlagSuid}})
	if want := linux.Nodev | linux.Noatime | linux.Nodiratime; got != want {
		t.Errorf("got %x, want %x", got, want)
	}
	if !slices.Contains(tmpfsOptions(spec.Tmpfs{Flags: []string{spec.FlagSync}}, 0), linux.Option{Key: "sync"}) {
		t.Error("sync is no option")
	}
}
