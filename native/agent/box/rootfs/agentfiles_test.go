package rootfs

import (
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

func TestATextIsReplaced(t *testing.T) {
	file, err := os.OpenFile(filepath.Join(t.TempDir(), "text"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	text := &text{file: file}
	for _, content := range []string{"one\n", "two\n", "a longer one\n", "short\n", "", "\n", "boxed\n", "boxed\n"} {
		// A box writes to what is its own.
		if text.writable = content == "boxed\n"; text.writable {
			if err := os.WriteFile(file.Name(), []byte("much longer than what was set\n"), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if err := text.set(content); err != nil {
			t.Fatal(err)
		}
		if got, err := os.ReadFile(file.Name()); string(got) != content || err != nil {
			t.Errorf("got %q, %v", got, err)
		}
	}
	if err := text.close(); err != nil {
		t.Fatal(err)
	}
	if err := text.set("x"); !errors.Is(err, syscall.EBADF) {
		t.Errorf("closed: got %v", err)
	}
}
