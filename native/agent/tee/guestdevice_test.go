package tee

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"unsafe"

	"a3s.dev/box/agent/snp/snptest"
)

// firmware stands in for the device. It sees what the kernel would: the request's bytes, and where
// the answer goes.
type firmware struct {
	t        *testing.T
	requests []uintptr
	seen     [][]byte
	// answer fills in the response, and the certificates.
	answer func(request []byte, response, certificates []byte)
	// vmm is what the VMM says to the first request.
	vmm uint32
}

var sizes = map[uintptr][2]int{
	getReport: {reportReqSize, reportRespSize}, getKey: {keyReqSize, keyRespSize}, getExtReport: {extReqSize, reportRespSize},
}

// memory is what lies at an address that was put into a structure.
func memory(address uint64, size int) []byte {
	return unsafe.Slice(*(**byte)(unsafe.Pointer(&address)), size)
}

func (f *firmware) Ioctl(number uintptr, argument *[ioctlSize]byte) error {
	f.t.Helper()
	if argument[0] != 1 || !bytes.Equal(argument[1:8], make([]byte, 7)) || !bytes.Equal(argument[24:], make([]byte, 8)) {
		f.t.Errorf("argument %x", argument)
	}
	size := sizes[number]
	request := memory(binary.LittleEndian.Uint64(argument[8:]), size[0])
	f.requests = append(f.requests, number)
	f.seen = append(f.seen, bytes.Clone(request))
	if vmm := f.vmm; vmm != 0 {
		f.vmm = 0
		binary.LittleEndian.PutUint32(argument[28:], vmm)
		return syscall.EIO
	}
	var certificates []byte
	if number == getExtReport {
		certificates = memory(binary.LittleEndian.Uint64(request[reportReqSize:]), int(binary.LittleEndian.Uint32(request[reportReqSize+8:])))
	}
	f.answer(request, memory(binary.LittleEndian.Uint64(argument[16:]), size[1]), certificates)
	return nil
}

// answerReport is MSG_REPORT_RSP over the request's data.
func answerReport(request, response, certificates []byte) {
	report := snptest.Report([64]byte(request[:64]), [48]byte{}, [32]byte{})
	binary.LittleEndian.PutUint32(response[4:], uint32(len(report)))
	copy(response[messageHead:], report)
	copy(certificates, "table")
}

func TestTheDeviceGivesAReport(t *testing.T) {
	f := &firmware{t: t, answer: answerReport}
	g := &guestDevice{device: f}
	data := [64]byte{1, 63: 9}
	report, err := g.Report(data)
	if err != nil || check(report.Report, data) != nil || !bytes.HasPrefix(report.Certificates, []byte("table\x00")) {
		t.Fatalf("got %+v, %v", report, err)
	}
	if len(f.requests) != 1 || f.requests[0] != getExtReport {
		t.Errorf("asked %x", f.requests)
	}
	request := f.seen[0]
	if !bytes.Equal(request[:64], data[:]) || !bytes.Equal(request[64:96], make([]byte, 32)) ||
		binary.LittleEndian.Uint32(request[104:]) != 0x4000 || !bytes.Equal(request[108:], make([]byte, 4)) {
		t.Errorf("request %x", request)
	}
}

func TestTheDeviceDoesWithoutCertificates(t *testing.T) {
	f := &firmware{t: t, answer: answerReport, vmm: vmmInvalidLength}
	report, err := (&guestDevice{device: f}).Report([64]byte{1})
	if err != nil || report.Certificates != nil {
		t.Errorf("got %+v, %v", report, err)
	}
	if len(f.requests) != 2 || f.requests[1] != getReport {
		t.Errorf("asked %x", f.requests)
	}
	f = &firmware{t: t, answer: func(request, response, _ []byte) { answerReport(request, response, nil) }}
	if report, err := (&guestDevice{device: f}).Report([64]byte{1}); err != nil || report.Certificates != nil {
		t.Errorf("got %+v, %v", report, err)
	}
}

func TestAFailureOfTheDeviceIsReturned(t *testing.T) {
	f := &firmware{t: t, vmm: 2}
	_, err := (&guestDevice{device: f}).Report([64]byte{})
	if !errors.Is(err, syscall.EIO) || !strings.Contains(err.Error(), "firmware 0x0, VMM 0x2") {
		t.Errorf("got %v", err)
	}
}

func TestTheDevicesReportIsLookedAt(t *testing.T) {
	for name, spoil := range map[string]func(response []byte){
		"status":     func(response []byte) { response[0] = 0x16 },
		"size":       func(response []byte) { binary.LittleEndian.PutUint32(response[4:], 1<<31) },
		"short":      func(response []byte) { response[4]-- },
		"other data": func(response []byte) { response[messageHead+0x50] ^= 1 },
	} {
		f := &firmware{t: t, answer: func(request, response, certificates []byte) {
			answerReport(request, response, certificates)
			spoil(response)
		}}
		if _, err := (&guestDevice{device: f}).Report([64]byte{}); !errors.Is(err, ErrReport) {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

func TestTheDeviceDerivesAKey(t *testing.T) {
	f := &firmware{t: t, answer: func(_, response, _ []byte) { copy(response[32:], bytes.Repeat([]byte{7}, 32)) }}
	g := &guestDevice{device: f}
	key, err := g.DeriveKey(KeyRequest{VMRK, FieldPolicy | FieldTCB, 1, 2, 0x0102030405060708})
	if err != nil || !bytes.Equal(key[:], bytes.Repeat([]byte{7}, 32)) {
		t.Errorf("got %x, %v", key, err)
	}
	const want = "01000000" + "00000000" + "2100000000000000" + "01000000" + "02000000" + "0807060504030201"
	if got := hex.EncodeToString(f.seen[0]); got != want || f.requests[0] != getKey {
		t.Errorf("asked %x with %s, want %s", f.requests, got, want)
	}
	f.answer = func(_, response, _ []byte) { response[0] = 0x16; response[40] = 1 }
	if _, err := g.DeriveKey(KeyRequest{}); !errors.Is(err, ErrKey) {
		t.Errorf("got %v", err)
	}
	f.answer = func(_, _, _ []byte) {}
	if _, err := g.DeriveKey(KeyRequest{}); !errors.Is(err, ErrKey) {
		t.Errorf("a zero key: got %v", err)
	}
}

// The kernel's own header is asked.
func TestTheDevicesNumbersAreTheKernels(t *testing.T) {
	const program = `
#include <stddef.h>
#include <sys/ioctl.h>
#include <linux/sev-guest.h>
#define SAME(a, b) _Static_assert((a) == (b), #a)
SAME(SNP_GET_REPORT, 0xc0205300);
SAME(SNP_GET_DERIVED_KEY, 0xc0205301);
SAME(SNP_GET_EXT_REPORT, 0xc0205302);
SAME(SNP_GUEST_VMM_ERR_INVALID_LEN, 1);
SAME(sizeof(struct snp_guest_request_ioctl), 32);
SAME(offsetof(struct snp_guest_request_ioctl, msg_version), 0);
SAME(offsetof(struct snp_guest_request_ioctl, req_data), 8);
SAME(offsetof(struct snp_guest_request_ioctl, resp_data), 16);
SAME(offsetof(struct snp_guest_request_ioctl, fw_error), 24);
SAME(offsetof(struct snp_guest_request_ioctl, vmm_error), 28);
SAME(sizeof(struct snp_report_req), 96);
SAME(offsetof(struct snp_report_req, vmpl), 64);
SAME(sizeof(struct snp_report_resp), 4000);
SAME(sizeof(struct snp_ext_report_req), 112);
SAME(offsetof(struct snp_ext_report_req, certs_address), 96);
SAME(offsetof(struct snp_ext_report_req, certs_len), 104);
SAME(sizeof(struct snp_derived_key_req), 32);
SAME(offsetof(struct snp_derived_key_req, guest_field_select), 8);
SAME(offsetof(struct snp_derived_key_req, vmpl), 16);
SAME(offsetof(struct snp_derived_key_req, guest_svn), 20);
SAME(offsetof(struct snp_derived_key_req, tcb_version), 24);
SAME(sizeof(struct snp_derived_key_resp), 64);
`
	cc := exec.Command("gcc", "-x", "c", "-c", "-o", filepath.Join(t.TempDir(), "o"), "-")
	cc.Stdin = strings.NewReader(program)
	if out, err := cc.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, pair := range [][2]uintptr{
		{getReport, 0xc0205300}, {getKey, 0xc0205301}, {getExtReport, 0xc0205302}, {ioctlSize, 32}, {reportReqSize, 96},
		{reportRespSize, 4000}, {extReqSize, 112}, {keyReqSize, 32}, {keyRespSize, 64}, {vmmInvalidLength, 1},
	} {
		if pair[0] != pair[1] {
			t.Errorf("%#x is not %#x", pair[0], pair[1])
		}
	}
}
