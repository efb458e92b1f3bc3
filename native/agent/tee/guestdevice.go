package tee

import (
	"encoding/binary"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"unsafe"
)

// GuestDevice is the device of the kernel's module sev-guest.
const GuestDevice = "/dev/sev-guest"

// Requests of include/uapi/linux/sev-guest.h: _IOWR('S', N, struct snp_guest_request_ioctl).
const (
	getReport    = 0xc0205300
	getKey       = 0xc0205301
	getExtReport = 0xc0205302
)

// Sizes of its structures, in bytes.
const (
	ioctlSize      = 32
	reportReqSize  = 96
	reportRespSize = 4000
	extReqSize     = 112
	keyReqSize     = 32
	keyRespSize    = 64
)

// certificatesSize is SEV_FW_BLOB_MAX_SIZE, the most that the kernel takes from the host; whole
// pages.
const certificatesSize = 16 << 10

// vmmInvalidLength is SNP_GUEST_VMM_ERR_INVALID_LEN: the host's certificates do not fit.
const vmmInvalidLength = 1

// messageHead is the part before a report: STATUS, REPORT_SIZE and 24 reserved bytes; SEV-SNP ABI,
// MSG_REPORT_RSP.
const (
	messageHead = 32
	// keyAt is where MSG_KEY_RSP has the key.
	keyAt = 32
)

// ioctler passes a structure of ioctlSize bytes to the device, whose pointers are pinned.
type ioctler interface {
	Ioctl(request uintptr, argument *[ioctlSize]byte) error
}

// guestDevice asks by ioctl.
type guestDevice struct {
	device ioctler
	mu     sync.Mutex
}

// failed is an ioctl that failed, with what firmware and VMM say.
type failed struct {
	cause         error
	firmware, vmm uint32
}

func (e *failed) Error() string {
	return fmt.Sprintf("%s: %s (firmware %#x, VMM %#x)", GuestDevice, e.cause, e.firmware, e.vmm)
}
func (e *failed) Unwrap() error { return e.cause }

func (g *guestDevice) Report(data [64]byte) (Report, error) {
	certificates := make([]byte, certificatesSize)
	request := extReportRequest(data, certificates)
	response := make([]byte, reportRespSize)
	err := g.ask(getExtReport, request, response, certificates)
	var refused *failed
	if errors.As(err, &refused) && refused.vmm == vmmInvalidLength {
		// The host's table is larger than the kernel's buffer. It is not needed: the verifier can
		// have the certificates from AMD.
		clear(certificates)
		err = g.ask(getReport, reportRequest(data), response, nil)
	}
	if err != nil {
		return Report{}, err
	}
	report, err := reportOf(response)
	if err != nil {
		return Report{}, err
	}
	return Report{report, trimTable(certificates)}, check(report, data)
}

func (g *guestDevice) DeriveKey(r KeyRequest) ([32]byte, error) {
	response := make([]byte, keyRespSize)
	if err := g.ask(getKey, keyRequest(r), response, nil); err != nil {
		return [32]byte{}, err
	}
	defer clear(response)
	if status := binary.LittleEndian.Uint32(response); status != 0 {
		return [32]byte{}, fmt.Errorf("%w: status %#x", ErrKey, status)
	}
	key := [32]byte(response[keyAt:])
	return key, checkKey(key)
}

// ask fills in struct snp_guest_request_ioctl. What its pointers lead to stays where it is
// meanwhile.
func (g *guestDevice) ask(number uintptr, request, response, certificates []byte) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	var pinner runtime.Pinner
	defer pinner.Unpin()
	pinner.Pin(&request[0])
	pinner.Pin(&response[0])
	if len(certificates) > 0 {
		pinner.Pin(&certificates[0])
		binary.LittleEndian.PutUint64(request[reportReqSize:], address(certificates))
	}
	var argument [ioctlSize]byte
	argument[0] = 1 // msg_version
	binary.LittleEndian.PutUint64(argument[8:], address(request))
	binary.LittleEndian.PutUint64(argument[16:], address(response))
	err := g.device.Ioctl(number, &argument)
	if err != nil {
		return &failed{err, binary.LittleEndian.Uint32(argument[24:]), binary.LittleEndian.Uint32(argument[28:])}
	}
	return nil
}

func address(data []byte) uint64 { return uint64(uintptr(unsafe.Pointer(&data[0]))) }

// reportRequest is struct snp_report_req, for VMPL 0.
func reportRequest(data [64]byte) []byte {
	request := make([]byte, reportReqSize)
	copy(request, data[:])
	return request
}

// extReportRequest is struct snp_ext_report_req; ask fills in the address.
func extReportRequest(data [64]byte, certificates []byte) []byte {
	request := make([]byte, extReqSize)
	copy(request, data[:])
	binary.LittleEndian.PutUint32(request[reportReqSize+8:], uint32(len(certificates)))
	return request
}

// keyRequest is struct snp_derived_key_req.
func keyRequest(r KeyRequest) []byte {
	request := make([]byte, keyReqSize)
	binary.LittleEndian.PutUint32(request[0:], uint32(r.RootKey))
	binary.LittleEndian.PutUint64(request[8:], uint64(r.Fields))
	binary.LittleEndian.PutUint32(request[16:], r.VMPL)
	binary.LittleEndian.PutUint32(request[20:], r.GuestSVN)
	binary.LittleEndian.PutUint64(request[24:], r.TCB)
	return request
}

// reportOf takes the report out of MSG_REPORT_RSP.
func reportOf(response []byte) ([]byte, error) {
	if status := binary.LittleEndian.Uint32(response); status != 0 {
		return nil, fmt.Errorf("%w: status %#x", ErrReport, status)
	}
	size := binary.LittleEndian.Uint32(response[4:])
	if int64(size) > int64(len(response)-messageHead) {
		return nil, fmt.Errorf("%w: it has %d bytes", ErrReport, size)
	}
	return response[messageHead : messageHead+int(size)], nil
}

// trimTable leaves out what the host did not fill: a table of nothing.
func trimTable(table []byte) []byte {
	for _, b := range table {
		if b != 0 {
			return table
		}
	}
	return nil
}
