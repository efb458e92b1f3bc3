package spec

import (
	"strings"
	"testing"
)

const memory = `"directories":["/data/x"],"shmBytes":4096,"tmpfs":[{"destination":"/t","readonly":true,"sizeBytes":9,"mode":1,"uid":2,"gid":3,
"inodes":4,"flags":["exec","suid"]}]`

func withMemory(old, new string) []byte {
	return []byte(strings.Replace(example, `"directories":["/data/x"]`, strings.Replace(memory, old, new, 1), 1))
}

func TestParseSpecReadsFilesystemsInMemory(t *testing.T) {
	spec, err := Parse(withMemory("", ""))
	if err != nil {
		t.Fatal(err)
	}
	got := (*spec.Tmpfs)[0]
	if *spec.ShmBytes != 4096 || got.Destination != "/t" || !got.Readonly || got.SizeBytes != 9 || *got.Mode != 1 || *got.UID != 2 ||
		*got.GID != 3 || *got.Inodes != 4 || strings.Join(got.Flags, " ") != "exec suid" {
		t.Errorf("got %+v", got)
	}
}

func TestParseSpecRefusesFilesystemsInMemory(t *testing.T) {
	one := memory[strings.Index(memory, `{"destination"`):strings.LastIndex(memory, "]")]
	for name, c := range map[string]struct{ old, new, message string }{
		"less than none":       {"4096", "-1", "shmBytes: must be at least 0"},
		"too many":             {one, one + strings.Repeat(","+one, 64), "tmpfs: has too many entries"},
		"a relative path":      {`"/t"`, `"t"`, "tmpfs[0].destination: is not an absolute path"},
		"the root":             {`"/t"`, `"/t/.."`, "tmpfs[0].destination: must not be the root"},
		"a place in /proc":     {`"/t"`, `"//proc/x"`, "tmpfs[0].destination: must not be in /proc, /sys or /dev, but for /dev/shm"},
		"a place in /sys":      {`"/t"`, `"/sys"`, "tmpfs[0].destination: must not be in /proc, /sys or /dev, but for /dev/shm"},
		"a place in /dev":      {`"/t"`, `"/dev/shm/../pts"`, "tmpfs[0].destination: must not be in /proc, /sys or /dev, but for /dev/shm"},
		"a negative size":      {`"sizeBytes":9`, `"sizeBytes":-9`, "tmpfs[0].sizeBytes: must be at least 0"},
		"a long mode":          {`"mode":1`, `"mode":4096`, "tmpfs[0].mode: must be from 0 to 4095"},
		"no user":              {`"uid":2`, `"uid":4294967295`, "tmpfs[0].uid: is not an id"},
		"no group":             {`"gid":3`, `"gid":-1`, "tmpfs[0].gid: is not an id"},
		"negative inodes":      {`"inodes":4`, `"inodes":-4`, "tmpfs[0].inodes: must be at least 0"},
		"a flag for devices":   {`"exec"`, `"dev"`, "tmpfs[0].flags: holds what is not a flag"},
		"flags in wrong order": {`"exec"`, `"sync"`, "tmpfs[0].flags: must be sorted, each once"},
		"two of one kind":      {`"exec","suid"`, `"noatime","strictatime"`, "tmpfs[0].flags: must not have noatime beside strictatime"},
		"an unknown key":       {`"mode":1`, `"modes":1`, `tmpfs[0]: unknown key "modes"`},
	} {
		if _, err := Parse(withMemory(c.old, c.new)); err == nil || err.Error() != c.message {
			t.Errorf("%s: got %v, want %q", name, err, c.message)
		}
	}
}
