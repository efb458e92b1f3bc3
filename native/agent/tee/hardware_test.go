package tee

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestAnSNPGuestWithoutAProcessorHasNone(t *testing.T) {
	dir := t.TempDir()
	_, err := openSNP(filepath.Join(dir, "report"), filepath.Join(dir, "sev-guest"))
	if err == nil || !strings.Contains(err.Error(), "no SEV-SNP guest") {
		t.Errorf("got %v", err)
	}
}

func TestConfigfsComesFirstAndKeysFromTheDevice(t *testing.T) {
	dir := t.TempDir()
	reports, device := filepath.Join(dir, "report"), filepath.Join(dir, "sev-guest")
	if err := os.Mkdir(reports, 0o700); err != nil {
		t.Fatal(err)
	}
	p, err := openSNP(reports, device)
	if err != nil {
		t.Fatal(err)
	}
	if _, ok := p.(*hardware).reports.(*configfs); !ok {
		t.Errorf("reports come from %T", p.(*hardware).reports)
	}
	if _, err := p.DeriveKey(KeyRequest{}); !errors.Is(err, errNoDevice) {
		t.Errorf("got %v", err)
	}
	if err := os.WriteFile(device, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if p, err = openSNP(reports, device); err != nil || p.(*hardware).keys == nil {
		t.Errorf("got %+v, %v", p, err)
	}
	if err := os.Remove(reports); err != nil {
		t.Fatal(err)
	}
	p, err = openSNP(reports, device)
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
