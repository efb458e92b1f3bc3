package tee

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"a3s.dev/box/agent/snp/snptest"
)

// kernel is a configfs of reports.
type kernel struct {
	entries  map[string]*entry
	provider string
	// busy is how many times a report is refused; disturbed how many times somebody else writes.
	busy, disturbed int
	// report makes one; nil: the fake's.
	report func(data [64]byte) []byte
	aux    []byte
	made   int
	// absent is why no entry can be made.
	absent error
}

type entry struct {
	blob       []byte
	generation int
}

func newKernel() *kernel { return &kernel{entries: map[string]*entry{}, provider: "sev_guest\n"} }

func (k *kernel) Mkdir(path string) error {
	if k.absent != nil {
		return &os.PathError{Op: "mkdir", Path: path, Err: k.absent}
	}
	if filepath.Dir(path) != ReportsDir || k.entries[path] != nil {
		return syscall.EEXIST
	}
	k.made++
	k.entries[path] = &entry{}
	return nil
}

func (k *kernel) Rmdir(path string) error {
	if k.entries[path] == nil {
		return syscall.ENOENT
	}
	delete(k.entries, path)
	return nil
}

func (k *kernel) Write(path string, data []byte) error {
	e := k.entries[filepath.Dir(path)]
	if e == nil || filepath.Base(path) != "inblob" || len(data) != 64 {
		return syscall.EINVAL
	}
	e.blob = bytes.Clone(data)
	e.generation++
	return nil
}

func (k *kernel) Read(path string, _ int) ([]byte, error) {
	e := k.entries[filepath.Dir(path)]
	if e == nil {
		return nil, syscall.ENOENT
	}
	switch filepath.Base(path) {
	case "provider":
		return []byte(k.provider), nil
	case "generation":
		return []byte(strconv.Itoa(e.generation) + "\n"), nil
	case "auxblob":
		return k.aux, nil
	case "outblob":
		if k.busy > 0 {
			k.busy--
			return nil, &os.PathError{Op: "read", Path: path, Err: syscall.EBUSY}
		}
		if k.disturbed > 0 {
			k.disturbed--
			e.generation++
		}
		if k.report != nil {
			return k.report([64]byte(e.blob)), nil
		}
		return snptest.Report([64]byte(e.blob), [48]byte{}, [32]byte{}), nil
	}
	return nil, syscall.ENOENT
}

func through(k *kernel) (*configfs, *int) {
	slept := 0
	return &configfs{k, func(time.Duration) { slept++ }}, &slept
}

func TestConfigfsGivesAReport(t *testing.T) {
	k := newKernel()
	k.aux = []byte("table")
	c, _ := through(k)
	data := [64]byte{1, 2, 3}
	report, err := c.Report(data)
	if err != nil || check(report.Report, data) != nil || string(report.Certificates) != "table" {
		t.Errorf("got %+v, %v", report, err)
	}
	if len(k.entries) != 0 || k.made != 1 {
		t.Errorf("%d entries of %d are left", len(k.entries), k.made)
	}
}

func TestConfigfsAsksAgainWhenBusyOrDisturbed(t *testing.T) {
	k := newKernel()
	k.busy, k.disturbed = 2, 3
	c, slept := through(k)
	if _, err := c.Report([64]byte{}); err != nil {
		t.Fatal(err)
	}
	if *slept != 5 || k.made != 6 || len(k.entries) != 0 {
		t.Errorf("slept %d times, made %d entries, %d are left", *slept, k.made, len(k.entries))
	}
	k.busy = 1 << 20
	if _, err := c.Report([64]byte{}); !errors.Is(err, errBusy) {
		t.Errorf("got %v", err)
	}
	if len(k.entries) != 0 {
		t.Errorf("%d entries are left", len(k.entries))
	}
}

func TestConfigfsRefusesWhatIsNoReportOverItsData(t *testing.T) {
	k := newKernel()
	k.report = func([64]byte) []byte {
		return snptest.Report([64]byte{1}, [48]byte{}, [32]byte{})
	}
	c, _ := through(k)
	if _, err := c.Report([64]byte{2}); !errors.Is(err, ErrReport) {
		t.Errorf("got %v", err)
	}
	k.report = func([64]byte) []byte { return []byte("short") }
	if _, err := c.Report([64]byte{2}); !errors.Is(err, ErrReport) {
		t.Errorf("got %v", err)
	}
	k.report = nil
	k.provider = "tdx_guest\n"
	if _, err := c.Report([64]byte{}); err == nil || !strings.Contains(err.Error(), "tdx_guest") {
		t.Errorf("got %v", err)
	}
}

func TestTheRealFilesystemIsReadToItsEnd(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "entry")
	d := disk{}
	if err := d.Mkdir(dir); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "blob")
	if err := d.Write(path, []byte("x")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("got %v: an attribute that is missing is not made", err)
	}
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := d.Write(path, []byte("0123456789")); err != nil {
		t.Fatal(err)
	}
	if data, err := d.Read(path, 10); err != nil || string(data) != "0123456789" {
		t.Errorf("got %q, %v", data, err)
	}
	if data, err := d.Read(path, 9); err == nil {
		t.Errorf("got %q", data)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if err := d.Rmdir(dir); err != nil {
		t.Error(err)
	}
}
