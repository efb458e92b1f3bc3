package box_test

import (
	"strings"
	"testing"
)

// withMounts is the document of a box that has more in it.
func withMounts(t *testing.T, readonly bool, more string) string {
	t.Helper()
	text := strings.Replace(document, `"resources":{}`, `"resources":{},`+more, 1)
	if readonly {
		text = strings.Replace(text, `"readonly":false`, `"readonly":true`, 1)
	}
	if text == document {
		t.Fatal("the test changes nothing")
	}
	return text
}

func TestATmpfsHasWhatItsSpecSays(t *testing.T) {
	h := start(t, withMounts(t, false, `"tmpfs":[
{"destination":"/new/deep","readonly":false,"sizeBytes":65536,"flags":[]},
{"destination":"/new","readonly":false,"sizeBytes":4194304,"mode":488,"uid":5,"gid":7,"inodes":99,"flags":["exec","noatime","suid"]},
{"destination":"/slow","readonly":false,"sizeBytes":0,"flags":["dirsync","nodiratime","strictatime","sync"]},
{"destination":"/closed","readonly":true,"sizeBytes":4096,"flags":[]}],"directories":["/slow"]`))
	got, _ := h.run("a", script(`
# Kernels word some options in their own ways.
busybox sed -En '/ .(new|new.deep|slow|closed) /{s/,(inode64|size=0k)//g;p}' /proc/mounts
busybox stat -c '%n %a %u %g' /new /new/deep /slow /closed
busybox cp /bin/busybox /new/true && /new/true && echo runs
busybox cp /bin/busybox /slow/true && /slow/true 2>/dev/null || echo does not
busybox dd if=/dev/zero of=/new/deep/full bs=4k count=64 2>/dev/null || busybox stat -c %s /new/deep/full
busybox touch /closed/x 2>/dev/null || echo closed
busybox mknod /new/null c 1 3 && busybox cat /new/null 2>/dev/null || echo no devices`))
	want := `tmpfs /new tmpfs rw,nodev,noatime,size=4096k,nr_inodes=99,mode=750,uid=5,gid=7 0 0
tmpfs /slow tmpfs rw,sync,dirsync,nosuid,nodev,noexec,nodiratime 0 0
tmpfs /closed tmpfs ro,nosuid,nodev,noexec,relatime,size=4k 0 0
tmpfs /new/deep tmpfs rw,nosuid,nodev,noexec,relatime,size=64k 0 0
/new 750 5 7
/new/deep 1777 0 0
/slow 1777 0 0
/closed 1777 0 0
runs
does not
65536
closed
no devices
`
	if got != want {
		t.Errorf("got %s\nwant %s", got, want)
	}
}

func TestTheSizeOfSharedMemoryIsTheSpecs(t *testing.T) {
	const look = "busybox grep -o ' /dev/shm .*size=[0-9]*k' /proc/mounts"
	for more, want := range map[string]string{
		`"directories":[]`:   " /dev/shm tmpfs rw,nosuid,nodev,noexec,relatime,size=65536k\n",
		`"shmBytes":1000000`: " /dev/shm tmpfs rw,nosuid,nodev,noexec,relatime,size=980k\n",
	} {
		h := start(t, withMounts(t, false, more))
		if got, _ := h.run("a", script(look)); got != want {
			t.Errorf("%s: got %q, want %q", more, got, want)
		}
	}
}

func TestAReadOnlyRootKeepsWhatIsMountedInIt(t *testing.T) {
	h := start(t, withMounts(t, true, `"directories":["/","/data","/dev/x","/memory/x"],
"tmpfs":[{"destination":"/memory","readonly":false,"sizeBytes":65536,"flags":[]}]`))
	got, _ := h.run("a", script(`
for path in / /slow /bin /etc/hosts /etc/resolv.conf /etc/hostname /etc /data /dev /dev/shm /memory /memory/x; do
  test -d $path && file=$path/written || file=$path
  if echo x 2>/dev/null >$file; then echo "$path written"; else echo "$path read-only"; fi
done
busybox cat /etc/hostname`))
	want := `/ read-only
/slow read-only
/bin read-only
/etc/hosts read-only
/etc/resolv.conf read-only
/etc/hostname read-only
/etc read-only
/data written
/dev written
/dev/shm written
/memory written
/memory/x written
box1
`
	if got != want {
		t.Errorf("got %s\nwant %s", got, want)
	}
}
