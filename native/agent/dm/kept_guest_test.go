//go:build guest

package dm

import (
	"bytes"
	"errors"
	"syscall"
	"testing"

	"a3s.dev/box/agent/guesttest"
)

func TestAKeptDiskIsReadByTheKeysThatItWasMadeWithAlone(t *testing.T) {
	path := guesttest.Disk(t, "changes")
	host := direct(t, path)
	keys := KeptKeys{Data: [keyBytes]byte{1}, Journal: [32]byte{2}}
	made, err := FormatKept("kept", path, &keys)
	if err != nil {
		t.Fatal(err)
	}
	write := func(e *Encrypted, content byte) {
		t.Helper()
		plain := direct(t, e.Path)
		if _, err := plain.WriteAt(pageOf(content), 5*blockBytes); err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(plain.Sync(), plain.Close(), e.Remove()); err != nil {
			t.Fatal(err)
		}
	}
	read := func(e *Encrypted) ([]byte, error) {
		t.Helper()
		plain := direct(t, e.Path)
		p := page()
		_, err := plain.ReadAt(p, 5*blockBytes)
		if closed := errors.Join(plain.Close(), e.Remove()); closed != nil {
			t.Fatal(closed)
		}
		return p, err
	}
	write(made, 'A')
	again, err := OpenKept("kept", path, &keys)
	if err != nil {
		t.Fatal(err)
	}
	if p, err := read(again); err != nil || !bytes.Equal(p, pageOf('A')) {
		t.Errorf("got %v", err)
	}
	if bytes.Contains(snapshot(t, host, 16<<20), bytes.Repeat([]byte{'A'}, 64)) {
		t.Error("the host can read it")
	}
	// Of the key of the HMAC: another one of XTS alone gives other bytes, and no error.
	other := keys
	other.Data[keyBytes-1] ^= 1
	if e, err := OpenKept("kept", path, &other); err == nil {
		if _, err := read(e); !errors.Is(err, syscall.EILSEQ) {
			t.Errorf("another key reads it: %v", err)
		}
	}
	other = keys
	other.Journal[0] ^= 1
	if e, err := OpenKept("kept", path, &other); !errors.Is(err, ErrSuperblock) {
		t.Errorf("the superblock has no MAC of the key: %v, %v", e, err)
	}
	// The host changes the superblock: its salt, which no other check covers, and the flags that
	// say that it has no MAC, and that it is to be written anew.
	head := page()
	if _, err := host.ReadAt(head, KeptStart); err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func([]byte){
		"salt": func(b []byte) { b[48] ^= 1 }, "no MAC": func(b []byte) { b[24] &^= 0x10 },
		"bitmap": func(b []byte) { b[24] |= 0x4 }, "no MAC, bitmap": func(b []byte) { b[24] = b[24]&^0x10 | 0x4 },
	} {
		changed := page()
		copy(changed, head)
		change(changed)
		if _, err := host.WriteAt(changed, KeptStart); err != nil {
			t.Fatal(err)
		}
		if e, err := OpenKept("kept", path, &keys); !errors.Is(err, ErrSuperblock) {
			t.Errorf("%s: a superblock that was changed is taken: %v, %v", name, e, err)
		}
		// As where the host gives it to the kernel alone.
		if e, err := keep("kept", path, &keys); err == nil {
			t.Errorf("%s: the kernel's reading of it is taken: %v", name, e.Remove())
		} else if changed[24]&0x10 == 0 && !errors.Is(err, ErrSuperblock) {
			t.Errorf("%s: got %v", name, err)
		}
	}
	// It is the one that the kernel has written, all else alike.
	if _, err := host.WriteAt(head, KeptStart); err != nil {
		t.Fatal(err)
	}
	again, err = OpenKept("kept", path, &keys)
	if err != nil {
		t.Fatal(err)
	}
	if p, err := read(again); err != nil || !bytes.Equal(p, pageOf('A')) {
		t.Errorf("got %v", err)
	}
	if _, err := host.WriteAt(page(), KeptStart); err != nil {
		t.Fatal(err)
	}
	if _, err := OpenKept("kept", path, &keys); !errors.Is(err, ErrNoKept) {
		t.Errorf("got %v", err)
	}
}
