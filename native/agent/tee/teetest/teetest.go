// Package teetest has a secure processor for tests.
package teetest

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"sync"

	"a3s.dev/box/agent/snp/snptest"
	"a3s.dev/box/agent/tee"
)

// Fake is a processor for tests: its reports are well-formed and not signed.
type Fake struct {
	HostData     [32]byte
	Measurement  [48]byte
	Certificates []byte
	// Err is answered instead of anything else.
	Err error

	mu    sync.Mutex
	asked [][64]byte
}

// Report returns a report of a Milan.
func (f *Fake) Report(data [64]byte) (tee.Report, error) {
	if f.Err != nil {
		return tee.Report{}, f.Err
	}
	f.mu.Lock()
	f.asked = append(f.asked, data)
	f.mu.Unlock()
	report := snptest.Report(data, f.Measurement, f.HostData)
	return tee.Report{Report: report, Certificates: f.Certificates}, nil
}

// Asked lists what reports were asked for over.
func (f *Fake) Asked() [][64]byte {
	f.mu.Lock()
	defer f.mu.Unlock()
	return append([][64]byte(nil), f.asked...)
}

// DeriveKey returns a key that depends on the measurement and on the whole request.
func (f *Fake) DeriveKey(request tee.KeyRequest) ([32]byte, error) {
	if f.Err != nil {
		return [32]byte{}, f.Err
	}
	mac := hmac.New(sha256.New, f.Measurement[:])
	for _, value := range []uint64{
		uint64(request.RootKey), uint64(request.Fields), uint64(request.VMPL), uint64(request.GuestSVN), request.TCB,
	} {
		_ = binary.Write(mac, binary.LittleEndian, value)
	}
	return [32]byte(mac.Sum(nil)), nil
}
