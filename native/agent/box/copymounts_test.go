package box_test

import (
	"strings"
	"syscall"
	"testing"

	"a3s.dev/box/agent/box"
	"a3s.dev/box/agent/box/spec"
	"a3s.dev/box/agent/guesttest"
	"a3s.dev/box/agent/linux"
)

// The mounts are those of the box's namespace: of other namespaces alone the kernel lets a name be
// replaced, and takes off what is mounted on it.
func TestACopyUnmountsNothing(t *testing.T) {
	guesttest.NeedRoot(t)
	mount, err := linux.NewMount("tmpfs", linux.Nodev)
	if err != nil {
		t.Fatal(err)
	}
	defer syscall.Close(mount)
	h := start(t, withMounts(t, false, `"tmpfs":[{"destination":"/memory","readonly":false,"sizeBytes":65536,"flags":[]}]`),
		spec.Attachment{Mount: mount, Path: "/deep/below/data"})
	box.ShowAttachments(h.box)
	h.version = "7"
	const mounts = "busybox cut -d ' ' -f 2 /proc/mounts"
	before, _ := h.run("before", script(mounts))
	for _, path := range []string{"/etc/hosts", "/deep/below/data", "/memory", "/secret"} {
		if !strings.Contains(before, path+"\n") {
			t.Fatalf("nothing is mounted on %s", path)
		}
	}
	const head = `{"path":"/","keepKinds":false,"ofUser":false}`
	for _, name := range []string{
		"etc/hosts", "etc/hostname", "etc/resolv.conf",
		// Empty mount points of directories, what lies above one, and mounts that copies do not
		// see.
		"deep/below/data", "deep/below", "deep", "memory", "secret", "proc", "dev",
	} {
		status, answer := h.call("PUT", "/v1/files", packed(t, head, name))
		if status != 400 || !strings.Contains(answer, `"path-invalid"`) || !strings.Contains(answer, "extract /"+name+": device or resource busy") {
			t.Errorf("%s: %d %s", name, status, answer)
		}
	}
	after, _ := h.run("after", script(mounts+"; busybox find / -xdev -name '.a3s-box-cp-*'"))
	if after != before {
		t.Errorf("got the mounts\n%s\nwant\n%s", after, before)
	}
	for _, name := range []string{"etc/passwd", "bin/plain", "tmp", "deep/below/data/new"} {
		if status, answer := h.call("PUT", "/v1/files", packed(t, head, name)); status != 204 {
			t.Errorf("%s: %d %s", name, status, answer)
		}
	}
	if got, _ := h.run("files", script("busybox cat /etc/passwd /bin/plain /tmp /deep/below/data/new")); got != "datadatadatadata" {
		t.Errorf("got %q", got)
	}
}

func TestCopiesReachTheVolumesOfAReadOnlyRoot(t *testing.T) {
	guesttest.NeedRoot(t)
	mount, err := linux.NewMount("tmpfs", linux.Nodev)
	if err != nil {
		t.Fatal(err)
	}
	defer syscall.Close(mount)
	h := start(t, withMounts(t, true, `"directories":["/","/data","/data/below","/dev/x","/memory","/share/x"],
"tmpfs":[{"destination":"/memory","readonly":false,"sizeBytes":65536,"flags":[]}]`), spec.Attachment{Mount: mount, Path: "/data/share"})
	box.ShowAttachments(h.box)
	h.version = "7"
	for path, want := range map[string]int{
		"/data": 204, "/data/below": 204, "/data/share": 204, "/": 403, "/tmp": 403, "/bin": 403,
		// As in Docker, a tmpfs is not seen.
		"/memory": 403,
	} {
		head := `{"path":"` + path + `","keepKinds":false,"ofUser":false}`
		if status, answer := h.call("PUT", "/v1/files", packed(t, head, "new")); status != want {
			t.Errorf("%s: %d %s", path, status, answer)
		}
	}
	got, _ := h.run("a", script("cd /data; busybox cat new below/new share/new; busybox ls /memory /bin; "))
	if got != "datadatadata/bin:\nbad\nbusybox\nplain\n\n/memory:\n" {
		t.Errorf("got %q", got)
	}
}
