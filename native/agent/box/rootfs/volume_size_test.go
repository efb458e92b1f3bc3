package rootfs

import (
	"fmt"
	"os"
	"strings"
	"syscall"
	"testing"

	"a3s.dev/box/agent/box/tree"
	"a3s.dev/box/agent/guesttest"
)

// chain makes directories in each other, and a file in the lowest one.
func chain(t *testing.T, dir string, depth int) {
	t.Helper()
	fd, err := syscall.Open(dir, syscall.O_RDONLY, 0)
	must(t, err)
	for range depth {
		must(t, syscall.Mkdirat(fd, "d", 0o755))
		next, err := syscall.Openat(fd, "d", syscall.O_RDONLY, 0)
		must(t, err, syscall.Close(fd))
		fd = next
	}
	file, err := syscall.Openat(fd, "f", syscall.O_CREAT|syscall.O_WRONLY, 0o600)
	must(t, err, syscall.Close(file), syscall.Close(fd))
}

// fewDescriptors bounds the open files of this process.
func fewDescriptors(t *testing.T, most uint64) {
	t.Helper()
	var before syscall.Rlimit
	must(t, syscall.Getrlimit(syscall.RLIMIT_NOFILE, &before))
	must(t, syscall.Setrlimit(syscall.RLIMIT_NOFILE, &syscall.Rlimit{Cur: most, Max: before.Max}))
	t.Cleanup(func() { _ = syscall.Setrlimit(syscall.RLIMIT_NOFILE, &before) })
}

func TestADeepTreeTakesFewDescriptors(t *testing.T) {
	r, image := imageForTest(t)
	fewDescriptors(t, 128)
	must(t, os.Mkdir(image+"/data", 0o755))
	chain(t, image+"/data", 2000)
	deep := image + "/data" + strings.Repeat("/d", 1500)
	must(t, os.WriteFile(deep+"/file", nil, 0o600), os.Link(deep+"/file", image+"/data/d/file"), os.Link(deep+"/file", deep+"/d/d/file"))
	fd, volume := volumeForTest(t, "tmpfs")
	for range 2 {
		must(t, fillVolume(r, fd, "/data"))
		if stat := statOf(t, volume+strings.Repeat("/d", 2000)+"/f"); stat.Size != 0 {
			t.Errorf("got %d bytes", stat.Size)
		}
		for _, name := range []string{"/d/file", strings.Repeat("/d", 1500) + "/file", strings.Repeat("/d", 1502) + "/file"} {
			if stat := statOf(t, volume+name); stat.Nlink != 3 {
				t.Errorf("got %d links", stat.Nlink)
			}
		}
	}
}

func TestAVolumeIsEmptiedHoweverDeepItIs(t *testing.T) {
	guesttest.NeedRoot(t)
	fewDescriptors(t, 128)
	fd, volume := volumeForTest(t, "tmpfs")
	chain(t, volume, 5000)
	must(t, tree.Empty(fd, tree.Here))
	if entries, err := os.ReadDir(volume); err != nil || len(entries) > 0 {
		t.Errorf("got %v, %v", entries, err)
	}
}

func TestAPathThatNoImageHasIsRefused(t *testing.T) {
	r, image := imageForTest(t)
	chain(t, image, 2100)
	fd, _ := volumeForTest(t, "tmpfs")
	refusedCopy(t, fillVolume(r, fd, "/"), strings.TrimPrefix(strings.Repeat("/d", 2049), "/"), syscall.ENAMETOOLONG)
}

func TestAWideDirectoryIsCopiedWithFewDescriptors(t *testing.T) {
	r, image := imageForTest(t)
	fewDescriptors(t, 128)
	must(t, os.MkdirAll(image+"/data/wide", 0o755))
	for index := range 20_000 {
		name := fmt.Sprintf("%s/data/wide/a-name-of-some-length-%d", image, index)
		if index%10 == 0 {
			must(t, os.Mkdir(name, 0o755))
		} else {
			must(t, os.WriteFile(name, nil, 0o600))
		}
	}
	fd, volume := volumeForTest(t, "tmpfs")
	for range 2 {
		must(t, fillVolume(r, fd, "/data"))
		if entries, err := os.ReadDir(volume + "/wide"); err != nil || len(entries) != 20_000 {
			t.Errorf("got %d, %v", len(entries), err)
		}
	}
}
