package teetest

import (
	"errors"
	"testing"

	"a3s.dev/box/agent/snp"
	"a3s.dev/box/agent/tee"
)

var errTest = errors.New("test")

func TestTheFakesReportIsOneOverWhatItWasAsked(t *testing.T) {
	fake := &Fake{HostData: [32]byte{1, 2}, Measurement: [48]byte{3, 4}, Certificates: []byte("table")}
	data := [64]byte{5, 6, 63: 7}
	answer, err := fake.Report(data)
	if err != nil {
		t.Fatal(err)
	}
	report, err := snp.Parse(answer.Report)
	if err != nil {
		t.Fatal(err)
	}
	if report.ReportData != data || report.HostData != fake.HostData || report.Measurement != fake.Measurement {
		t.Errorf("got %+v", report)
	}
	if string(answer.Certificates) != "table" || len(fake.Asked()) != 1 || fake.Asked()[0] != data {
		t.Errorf("got %q, %v", answer.Certificates, fake.Asked())
	}
}

func TestTheFakesKeysDifferByTheRequest(t *testing.T) {
	fake := &Fake{}
	seen := map[[32]byte]bool{{}: true}
	for _, request := range []tee.KeyRequest{
		{}, {RootKey: tee.VMRK}, {Fields: tee.FieldPolicy}, {VMPL: 1}, {GuestSVN: 1}, {TCB: 1},
	} {
		key, err := fake.DeriveKey(request)
		if err != nil || seen[key] {
			t.Errorf("%+v: got %x, %v", request, key, err)
		}
		seen[key] = true
	}
}

func TestTheFakeFails(t *testing.T) {
	fake := &Fake{Err: errTest}
	if _, err := fake.Report([64]byte{}); !errors.Is(err, errTest) {
		t.Errorf("got %v", err)
	}
	if _, err := fake.DeriveKey(tee.KeyRequest{}); !errors.Is(err, errTest) {
		t.Errorf("got %v", err)
	}
}
