package files

import (
	"context"
	"errors"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"a3s.dev/box/agent/box/rootdir"
	"a3s.dev/box/agent/guesttest"
)

// overlayForTest mounts an overlay over a tree, and returns it with the two.
func overlayForTest(t *testing.T) (merged, upper, lower string) {
	t.Helper()
	guesttest.NeedRoot(t)
	dir := t.TempDir()
	must(t, syscall.Mount("tmpfs", dir, "tmpfs", 0, ""))
	t.Cleanup(func() { _ = syscall.Unmount(dir, syscall.MNT_DETACH) })
	merged, upper, lower = dir+"/merged", dir+"/upper", dir+"/lower"
	must(t, os.Mkdir(merged, 0o755), os.Mkdir(upper, 0o755), os.Mkdir(dir+"/workdir", 0o755), os.MkdirAll(lower+"/etc/deep", 0o755),
		os.WriteFile(lower+"/etc/passwd", nil, 0o644), os.WriteFile(lower+"/etc/deep/file", nil, 0o644), os.MkdirAll(lower+"/var/again/inner", 0o755),
		os.WriteFile(lower+"/var/again/old", nil, 0o644), os.WriteFile(lower+"/var/again/same", nil, 0o644), os.Mkdir(lower+"/untouched", 0o755))
	err := syscall.Mount("overlay", merged, "overlay", 0, "lowerdir="+lower+",upperdir="+upper+",workdir="+dir+"/workdir")
	if errors.Is(err, syscall.ENODEV) || errors.Is(err, syscall.EINVAL) || errors.Is(err, syscall.EPERM) {
		t.Skip("needs overlayfs")
	}
	must(t, err)
	t.Cleanup(func() { _ = syscall.Unmount(merged, syscall.MNT_DETACH) })
	return merged, upper, lower
}

func changesOf(t *testing.T, upper, lower string) string {
	t.Helper()
	u, err := rootdir.OpenDirectory(upper)
	must(t, err)
	defer syscall.Close(u.FD)
	l, err := rootdir.OpenDirectory(lower)
	must(t, err)
	defer syscall.Close(l.FD)
	var all []string
	must(t, Changes(context.Background(), u.FD, l, func(c Change) error {
		all = append(all, string("CAD"[c.Kind])+" "+c.Path)
		return nil
	}))
	return strings.Join(all, ", ")
}

func TestChangesAreListedAsDockerDoes(t *testing.T) {
	merged, upper, lower := overlayForTest(t)
	if got := changesOf(t, upper, lower); got != "" {
		t.Errorf("an unchanged box has %s", got)
	}
	must(t, os.WriteFile(merged+"/etc/passwd", []byte("x"), 0o644), os.MkdirAll(merged+"/new/dir", 0o755), os.WriteFile(merged+"/new/dir/file", nil, 0o644),
		os.Remove(merged+"/etc/deep/file"), os.WriteFile(merged+"/gone", nil, 0o644), os.Remove(merged+"/gone"))
	// As in Docker, /etc has not changed: a file in it was only written to.
	want := "C /etc/deep, D /etc/deep/file, C /etc/passwd, A /new, A /new/dir, A /new/dir/file"
	if got := changesOf(t, upper, lower); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestADirectoryThatWasMadeAnewIsListedWithWhatItLacks(t *testing.T) {
	merged, upper, lower := overlayForTest(t)
	must(t, os.RemoveAll(merged+"/var/again"), os.Mkdir(merged+"/var/again", 0o755), os.WriteFile(merged+"/var/again/same", nil, 0o644))
	if got := changesOf(t, upper, lower); got != "C /var, C /var/again, D /var/again/inner, D /var/again/old, C /var/again/same" &&
		got != "C /var, C /var/again, D /var/again/old, D /var/again/inner, C /var/again/same" {
		t.Errorf("got %s", got)
	}
}

func TestADirectoryWithAnotherModeOrTimeHasChanged(t *testing.T) {
	merged, upper, lower := overlayForTest(t)
	stamp := time.Unix(1, 0)
	must(t, os.Chmod(merged+"/untouched", 0o700), os.Chtimes(merged+"/var", stamp, stamp))
	if got := changesOf(t, upper, lower); got != "C /untouched, C /var" {
		t.Errorf("got %s", got)
	}
}
