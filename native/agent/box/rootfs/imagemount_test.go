package rootfs

import (
	"errors"
	"os"
	"syscall"
	"testing"

	"a3s.dev/box/agent/box/spec"
	"a3s.dev/box/agent/linux"
)

// mountedImage makes an image where the first mount of a spec finds it.
func mountedImage(t *testing.T) string {
	t.Helper()
	mountForFill(t, "tmpfs", "/run", "")
	source := t.TempDir()
	mountForFill(t, "tmpfs", source, "")
	must(t, os.MkdirAll(source+"/usr/lib", 0o755), os.WriteFile(source+"/usr/lib/file", []byte("of the other image"), 0o600),
		os.Symlink("/usr/lib", source+"/lib"), os.Symlink("../../..", source+"/usr/up"), syscall.Mkfifo(source+"/fifo", 0o600))
	mount, err := linux.CloneMount(-1, source, false)
	must(t, err, linux.SetAttributes(mount, linux.Readonly|linux.Nodev, false), ShowImage(0, mount), syscall.Close(mount))
	return source
}

func TestAnImageIsMountedReadOnly(t *testing.T) {
	r, root := imageForTest(t)
	mountedImage(t)
	must(t, mountAsked(r, &spec.Spec{Mounts: []spec.Mount{{Kind: spec.MountImage, Destination: "/other", Readonly: true}}}, Shares{}))
	if content, err := os.ReadFile(root + "/other/usr/lib/file"); err != nil || string(content) != "of the other image" {
		t.Errorf("got %q, %v", content, err)
	}
	if err := os.WriteFile(root+"/other/new", nil, 0o600); !errors.Is(err, syscall.EROFS) {
		t.Errorf("a write is %v", err)
	}
}

func TestAPartOfAnImageIsFoundByItsOwnLinks(t *testing.T) {
	r, root := imageForTest(t)
	mountedImage(t)
	for part, want := range map[string]error{"lib": nil, "lib/file": nil, "usr/up": nil, "none": syscall.ENOENT, "fifo": errNoPart} {
		destination := "/at-" + part[:1] + part[len(part)-1:]
		err := mountAsked(r, &spec.Spec{Mounts: []spec.Mount{{Kind: spec.MountImage, Destination: destination, Subpath: &part, Readonly: true}}}, Shares{})
		if !errors.Is(err, want) {
			t.Errorf("%s: got %v, want %v", part, err, want)
		}
	}
	for _, name := range []string{"/at-lb/file", "/at-le", "/at-up/usr/lib/file"} {
		if content, err := os.ReadFile(root + name); err != nil || string(content) != "of the other image" {
			t.Errorf("%s: got %q, %v", name, content, err)
		}
	}
}
