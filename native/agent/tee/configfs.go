package tee

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// ReportsDir is where a kernel with CONFIG_TSM_REPORTS gives reports;
// Documentation/ABI/testing/configfs-tsm.
const ReportsDir = "/sys/kernel/config/tsm/report"

const (
	// maxBlob bounds what is read of a report, and of the table beside it.
	maxBlob = 64 << 10
	// provider is SEV-SNP's.
	provider = "sev_guest"
	// tries and pause are for a processor that the host lets wait.
	tries = 20
	pause = 250 * time.Millisecond
)

// errBusy is a processor that was busy for too long.
var errBusy = errors.New("the secure processor is busy")

// files is the part of a filesystem that reports are made with.
type files interface {
	Mkdir(path string) error
	Rmdir(path string) error
	Write(path string, data []byte) error
	// Read returns up to a number of bytes, and an error where there are more.
	Read(path string, limit int) ([]byte, error)
}

// configfs asks for reports through configfs. It derives no keys.
type configfs struct {
	files files
	sleep func(time.Duration)
}

// Report makes an entry of its own for each report, so that nothing else in the guest changes it
// meanwhile.
func (c *configfs) Report(data [64]byte) (Report, error) {
	for range tries {
		report, err := c.once(data)
		if !errors.Is(err, syscall.EBUSY) && !errors.Is(err, syscall.EAGAIN) && !errors.Is(err, syscall.EINTR) {
			return report, err
		}
		c.sleep(pause)
	}
	return Report{}, errBusy
}

func (c *configfs) once(data [64]byte) (Report, error) {
	var report Report
	err := c.entry(func(path string) (err error) {
		report, err = c.ask(path, data)
		return err
	})
	if err != nil {
		return Report{}, err
	}
	return report, check(report.Report, data)
}

func (c *configfs) ask(entry string, data [64]byte) (report Report, err error) {
	before, err := c.generation(entry)
	if err != nil {
		return Report{}, err
	}
	if err := c.files.Write(entry+"/inblob", data[:]); err != nil {
		return Report{}, err
	}
	if report.Report, err = c.files.Read(entry+"/outblob", maxBlob); err != nil {
		return Report{}, err
	}
	if report.Certificates, err = c.files.Read(entry+"/auxblob", maxBlob); err != nil {
		return Report{}, err
	}
	after, err := c.generation(entry)
	if err != nil {
		return Report{}, err
	}
	// Each write counts one, so anything else is somebody else's.
	if after != before+1 {
		return Report{}, syscall.EAGAIN
	}
	return report, nil
}

// there says whether the kernel has a provider of reports here. The directory alone says nothing:
// it is there without one.
func (c *configfs) there() (bool, error) {
	err := c.entry(func(string) error { return nil })
	if errors.Is(err, syscall.ENOENT) || errors.Is(err, syscall.ENXIO) {
		return false, nil
	}
	return err == nil, err
}

// entry makes an entry of SEV-SNP's, for as long as it is used.
func (c *configfs) entry(use func(path string) error) (err error) {
	var name [16]byte
	// Never fails; see package crypto/rand.
	_, _ = rand.Read(name[:])
	path := ReportsDir + "/a3s-" + hex.EncodeToString(name[:])
	if err := c.files.Mkdir(path); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.files.Rmdir(path)) }()
	if err := c.provides(path); err != nil {
		return err
	}
	return use(path)
}

func (c *configfs) provides(entry string) error {
	name, err := c.files.Read(entry+"/provider", maxBlob)
	if err != nil {
		return err
	}
	if found := strings.TrimSuffix(string(name), "\n"); found != provider {
		return fmt.Errorf("reports come from %q, not from %s", found, provider)
	}
	return nil
}

func (c *configfs) generation(entry string) (uint64, error) {
	text, err := c.files.Read(entry+"/generation", maxBlob)
	if err != nil {
		return 0, err
	}
	return strconv.ParseUint(strings.TrimSuffix(string(text), "\n"), 10, 64)
}
