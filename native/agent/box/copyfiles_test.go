package box_test

import (
	"archive/tar"
	"bytes"
	"errors"
	"io"
	"strings"
	"syscall"
	"testing"

	"a3s.dev/box/agent/box"
	"a3s.dev/box/agent/box/spec"
	"a3s.dev/box/agent/guesttest"
	"a3s.dev/box/agent/linux"
)

// packed makes the body of a request that writes files: the line that says where, and an archive of
// files of root's.
func packed(t *testing.T, head string, names ...string) io.Reader {
	t.Helper()
	body := bytes.NewBufferString(head + "\n")
	w := tar.NewWriter(body)
	for _, name := range names {
		if err := w.WriteHeader(&tar.Header{Name: name, Mode: 0o644, Size: 4}); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write([]byte("data")); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return body
}

// readFiles returns the description of a path, and the names in its archive.
func (h *host) readFiles(path string) (string, string) {
	h.t.Helper()
	status, answer := h.call("POST", "/v1/files/read", strings.NewReader(`{"path":"`+path+`"}`))
	stat, archive, found := strings.Cut(answer, "\n")
	if status != 200 || !found {
		h.t.Fatalf("%s: %d %s", path, status, answer)
	}
	return stat, archiveNames(h.t, archive)
}

func archiveNames(t *testing.T, archive string) string {
	t.Helper()
	var names []string
	reader := tar.NewReader(strings.NewReader(archive))
	for {
		header, err := reader.Next()
		if errors.Is(err, io.EOF) {
			return strings.Join(names, " ")
		}
		if err != nil {
			t.Fatal(err)
		}
		names = append(names, header.Name)
	}
}

func TestFilesOfARunningBoxAreCopiedBothWays(t *testing.T) {
	guesttest.NeedRoot(t)
	mount, err := linux.NewMount("tmpfs", linux.Nodev)
	if err != nil {
		t.Fatal(err)
	}
	defer syscall.Close(mount)
	h := start(t, strings.Replace(document, `"user":""`, `"user":"app"`, 1), spec.Attachment{Mount: mount, Path: "/data"})
	box.ShowAttachments(h.box)
	h.version = "7"

	status, stat := h.call("POST", "/v1/files/stat", strings.NewReader(`{"path":"/etc/hostname"}`))
	if status != 200 || !strings.HasPrefix(stat, `{"name":"hostname","size":5,"mode":420,"mtime":`) || !strings.HasSuffix(stat, `,"linkTarget":""}`) {
		t.Errorf("got %d %s", status, stat)
	}
	for _, request := range []struct{ head, name, want string }{
		{`{"path":"/tmp","keepKinds":false,"ofUser":false}`, "a", "0:0 data"},
		{`{"path":"/tmp","keepKinds":true,"ofUser":true}`, "b", "1000:1000 data"},
		{`{"path":"/data","keepKinds":false,"ofUser":false}`, "c", "0:0 data"},
	} {
		if status, answer := h.call("PUT", "/v1/files", packed(t, request.head, request.name)); status != 204 {
			t.Fatalf("%d %s", status, answer)
		}
		got, _ := h.run("x"+request.name, script("cd /tmp; [ -e "+request.name+" ] || cd /data; busybox stat -c %u:%g "+request.name+"; busybox cat "+request.name))
		if strings.Join(strings.Fields(got), " ") != request.want {
			t.Errorf("%s is %q", request.name, got)
		}
	}
	if stat, names := h.readFiles("/data/."); !strings.HasPrefix(stat, `{"name":".",`) || names != "./ ./c" {
		t.Errorf("got %s %s", stat, names)
	}
	// As in Docker, neither the kernel's filesystems nor what the box has mounted itself are
	// copied.
	for _, path := range []string{"/proc", "/sys", "/dev"} {
		if _, names := h.readFiles(path); strings.Count(names, " ") > 9 || strings.Contains(names, "uptime") || strings.Contains(names, "null") {
			t.Errorf("%s has %s", path, names)
		}
	}
}

func TestAnExportHasTheRootAlone(t *testing.T) {
	guesttest.NeedRoot(t)
	mount, err := linux.NewMount("tmpfs", linux.Nodev)
	if err != nil {
		t.Fatal(err)
	}
	defer syscall.Close(mount)
	h := start(t, document, spec.Attachment{Mount: mount, Path: "/data"})
	box.ShowAttachments(h.box)
	h.version = "7"
	h.run("a", script("echo x > /tmp/a; echo x > /data/b"))
	status, archive := h.call("POST", "/v1/files/export", nil)
	names := " " + archiveNames(t, archive) + " "
	if status != 200 || !strings.Contains(names, " tmp/a ") || !strings.Contains(names, " data/ ") || strings.Contains(names, " data/b ") ||
		strings.Contains(names, " proc/uptime ") {
		t.Errorf("%d %s", status, names)
	}
}

func TestACopyThatCannotBeIsRefused(t *testing.T) {
	h := start(t, document)
	h.refuses("POST", "/v1/files/stat", strings.NewReader(`{"path":"/"}`), 404, "not-found")
	h.version = "7"
	h.refuses("POST", "/v1/files/stat", strings.NewReader(`{"path":"/absent"}`), 404, "path-not-found")
	h.refuses("POST", "/v1/files/read", strings.NewReader(`{"path":"/bin/busybox/"}`), 400, "path-invalid")
	h.refuses("POST", "/v1/files/read", strings.NewReader(`{"path":"/","more":1}`), 400, "invalid")
	h.refuses("PUT", "/v1/files", strings.NewReader("no line"), 400, "invalid")
	h.refuses("POST", "/v1/files/sync", nil, 404, "not-found")
	h.refuses("PUT", "/v1/files", strings.NewReader(strings.Repeat("x", 20_000)+"\n"), 413, "too-large")
	const head = `{"path":"/tmp","keepKinds":false,"ofUser":false}`
	h.refuses("PUT", "/v1/files", packed(t, head, "../evil"), 400, "path-invalid")
	h.refuses("PUT", "/v1/files", packed(t, strings.Replace(head, "/tmp", "/absent", 1), "a"), 404, "path-not-found")
	h.refuses("PUT", "/v1/files", io.LimitReader(packed(t, head, "a"), int64(len(head))+514), 400, "path-invalid")
}

func TestACopyLeavesTheMountsOfABoxThatSharesThemAlone(t *testing.T) {
	privileged := strings.Replace(document, `"capabilities":["CAP_CHOWN"`, `"capabilities":["CAP_CHOWN","CAP_SYS_ADMIN"`, 1)
	h := start(t, privileged)
	h.version = "7"
	const mounts = "busybox wc -l < /proc/mounts; echo x > /dev/null && busybox echo ok"
	if got, _ := h.run("s", script("busybox mount --make-rshared / && echo shared")); got != "shared\n" {
		t.Fatalf("got %q", got)
	}
	before, _ := h.run("b", script(mounts))
	if status, stat := h.call("POST", "/v1/files/stat", strings.NewReader(`{"path":"/etc/hostname"}`)); status != 200 {
		t.Errorf("got %d %s", status, stat)
	}
	if after, _ := h.run("a", script(mounts)); after != before || !strings.HasSuffix(after, "ok\n") {
		t.Errorf("got %q, before %q", after, before)
	}
}
