package box_test

import (
	"strings"
	"syscall"
	"testing"

	"a3s.dev/box/agent/box/spec"
	"a3s.dev/box/agent/guesttest"
	"a3s.dev/box/agent/linux"
)

func TestTheDirectoriesOfVolumesAreNotMadeInTheMountsOfTheAgent(t *testing.T) {
	guesttest.NeedRoot(t)
	mount, err := linux.NewMount("tmpfs", linux.Nodev)
	if err != nil {
		t.Fatal(err)
	}
	defer syscall.Close(mount)
	document := strings.Replace(document, `"resources":{}`, `"resources":{},"directories":["/data","/run/secrets/db"]`, 1)
	h := start(t, document, spec.Attachment{Mount: mount, Path: "/run/secrets"})
	got, _ := h.run("a", script("busybox ls -d /data; busybox ls -A /run/secrets; busybox grep -c ' /run/secrets tmpfs' /proc/mounts"))
	if got != "/data\n1\n" {
		t.Errorf("got %q", got)
	}
}
