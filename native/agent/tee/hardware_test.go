package tee

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

func TestAnSNPGuestWithoutAProcessorHasNone(t *testing.T) {
	device := filepath.Join(t.TempDir(), "sev-guest")
	// The kernel has no such directory; it has one, and no provider.
	for _, absent := range []error{syscall.ENOENT, syscall.ENXIO} {
		if _, err := openSNP(&kernel{absent: absent}, device); err == nil || !strings.Contains(err.Error(), "no SEV-SNP guest") {
			t.Errorf("got %v", err)
		}
	}
	if _, err := openSNP(&kernel{absent: syscall.EPERM}, device); !errors.Is(err, syscall.EPERM) {
		t.Errorf("got %v", err)
	}
	other := newKernel()
	other.provider = "tdx_guest\n"
	if _, err := openSNP(other, device); err == nil || !strings.Contains(err.Error(), "tdx_guest") {
		t.Errorf("got %v", err)
	}
}

func TestConfigfsComesFirstAndKeysFromTheDevice(t *testing.T) {
	device := filepath.Join(t.TempDir(), "sev-guest")
	k := newKernel()
	p, err := openSNP(k, device)
	if err != nil || len(k.entries) != 0 {
		t.Fatalf("got %v; %d entries are left", err, len(k.entries))
	}
	data := [64]byte{1}
	if report, err := p.Report(data); err != nil || check(report.Report, data) != nil {
		t.Errorf("got %v", err)
	}
	if _, err := p.DeriveKey(KeyRequest{}); !errors.Is(err, errNoDevice) {
		t.Errorf("got %v", err)
	}
	if err := os.WriteFile(device, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	p, err = openSNP(k, device)
	if err != nil {
		t.Fatal(err)
	}
	if _, ok := p.(*hardware).reports.(*configfs); !ok || p.(*hardware).keys == nil {
		t.Errorf("got %+v", p)
	}
	p, err = openSNP(&kernel{absent: syscall.ENXIO}, device)
	if err != nil {
		t.Fatal(err)
	}
	if _, ok := p.(*hardware).reports.(*guestDevice); !ok {
		t.Errorf("reports come from %T", p.(*hardware).reports)
	}
	// A file is no such device.
	if _, err := p.Report([64]byte{}); err == nil || errors.Is(err, ErrReport) {
		t.Errorf("got %v", err)
	}
	if _, err := p.DeriveKey(KeyRequest{}); err == nil {
		t.Error("a file derived a key")
	}
}

func TestTheSimulatedPortIsLookedForWhereTheProcessorIsSimulated(t *testing.T) {
	refused := errors.New("not there")
	asked := 0
	find := func() (string, error) { asked++; return "", refused }
	if _, err := Open(SNP, find); errors.Is(err, refused) || asked != 0 {
		t.Errorf("asked %d times, %v", asked, err)
	}
	if _, err := Open(Simulated, find); !errors.Is(err, refused) || asked != 1 {
		t.Errorf("asked %d times, %v", asked, err)
	}
	if _, err := Open("", find); err == nil || asked != 1 {
		t.Errorf("asked %d times, %v", asked, err)
	}
}
