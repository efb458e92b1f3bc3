package rootfs

import (
	"os"
	"path/filepath"
	"reflect"
	"testing"
)

func TestTheTopMountsAreListed(t *testing.T) {
	file := filepath.Join(t.TempDir(), "mountinfo")
	content := `1 0 0:1 / / rw - rootfs rootfs rw
20 1 0:2 / /proc rw - proc proc rw
21 1 0:3 / /a\040b\134c rw - tmpfs tmpfs rw
22 21 0:4 / /a\040b\134c/below rw - tmpfs tmpfs rw
23 1 0:5 / /run rw - tmpfs tmpfs rw
`
	if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	got, err := topMounts(file)
	if want := []string{"run", `a b\c`, "proc"}; err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %q, %v; want %q", got, err, want)
	}
	if err := os.WriteFile(file, []byte("1 0\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := topMounts(file); err == nil {
		t.Error("half a line was taken")
	}
}
