//go:build guest

package guesttest

import (
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"a3s.dev/box/agent/linux"
)

// Tree describes the files that a test disk was made with.
type Tree struct {
	Bytes      int64
	Root, Salt [32]byte
}

// Start boots the guest, whose disks test/e2e/device-mapper.test.ts has made, and runs the tests
// that match.
func Start(pattern string) {
	if err := boot(); err != nil {
		fmt.Println("cannot start:", err)
		End(1)
	}
	os.Args = append(os.Args[:1], "-test.v", "-test.run="+pattern)
}

// End prints the exit code of the tests, and ends the guest.
func End(code int) {
	fmt.Printf("guest tests ended with %d\n", code)
	syscall.Sync()
	if err := syscall.Reboot(syscall.LINUX_REBOOT_CMD_POWER_OFF); err != nil {
		fmt.Println("cannot power off:", err)
	}
}

func boot() error {
	for _, mount := range [][2]string{{"proc", "/proc"}, {"sysfs", "/sys"}, {"devtmpfs", "/dev"}, {"tmpfs", "/run"}} {
		err := syscall.Mount(mount[0], mount[1], mount[0], 0, "")
		if err != nil && !errors.Is(err, syscall.EBUSY) {
			return fmt.Errorf("mount %s: %w", mount[1], err)
		}
	}
	for _, list := range []string{"order", "order.changes"} {
		names, err := os.ReadFile("/modules/" + list)
		if err != nil {
			return err
		}
		for _, name := range strings.Fields(string(names)) {
			if err := load("/modules/" + name); err != nil {
				return fmt.Errorf("load %s: %w", name, err)
			}
		}
	}
	return nil
}

// load takes it that a processor may lack what a faster implementation of a cipher needs.
func load(path string) error {
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer file.Close()
	err = linux.LoadModule(int(file.Fd()))
	if errors.Is(err, syscall.EEXIST) || errors.Is(err, syscall.ENODEV) {
		return nil
	}
	return err
}

// Disk returns the device file of a disk by its serial.
func Disk(t *testing.T, serial string) string {
	t.Helper()
	entries, err := os.ReadDir("/sys/block")
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range entries {
		found, err := os.ReadFile("/sys/block/" + entry.Name() + "/serial")
		if err == nil && strings.TrimSpace(string(found)) == serial {
			return "/dev/" + entry.Name()
		}
	}
	t.Fatalf("there is no disk %s", serial)
	return ""
}

// Word returns the value after `NAME=` in the kernel's command line.
func Word(t *testing.T, name string) string {
	t.Helper()
	line, err := os.ReadFile("/proc/cmdline")
	if err != nil {
		t.Fatal(err)
	}
	for _, word := range strings.Fields(string(line)) {
		if text, found := strings.CutPrefix(word, name+"="); found {
			return text
		}
	}
	t.Fatalf("the command line has no %s", name)
	return ""
}

// TreeOf reads `tree.NAME=BYTES:ROOT:SALT`.
func TreeOf(t *testing.T, name string) Tree {
	t.Helper()
	parts := strings.Split(Word(t, "tree."+name), ":")
	if len(parts) != 3 {
		t.Fatalf("%s has no tree", name)
	}
	tree := Tree{}
	bytes, err := strconv.ParseInt(parts[0], 10, 64)
	root, rootErr := hex.DecodeString(parts[1])
	salt, saltErr := hex.DecodeString(parts[2])
	if err := errors.Join(err, rootErr, saltErr); err != nil {
		t.Fatal(err)
	}
	tree.Bytes = bytes
	copy(tree.Root[:], root)
	copy(tree.Salt[:], salt)
	return tree
}
