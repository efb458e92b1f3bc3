package linux

import (
	"encoding/binary"
	"syscall"
	"unsafe"
)

const (
	ioctlAddEntropy = 0x40085203
	ioctlReseed     = 0x5207
	sysClockSettime = syscall.SYS_CLOCK_SETTIME

	clockRealtime = 0
)

// AddEntropy mixes secret random bytes into the kernel's pool, counts them as entropy, and has the
// kernel reseed its generator from the pool. random is open on /dev/random.
func AddEntropy(random int, entropy []byte) error {
	// struct rand_pool_info: a count of bits, the size in bytes, and the bytes.
	info := make([]byte, 0, 8+len(entropy))
	info = binary.LittleEndian.AppendUint32(info, uint32(8*len(entropy)))
	info = binary.LittleEndian.AppendUint32(info, uint32(len(entropy)))
	info = append(info, entropy...)
	if err := Ioctl(random, ioctlAddEntropy, unsafe.Pointer(&info[0])); err != nil {
		return err
	}
	return Ioctl(random, ioctlReseed, nil)
}

// SetClock sets the time of day.
func SetClock(seconds, nanoseconds int64) error {
	time := syscall.Timespec{Sec: seconds, Nsec: nanoseconds}
	_, errno := call(sysClockSettime, clockRealtime, uintptr(unsafe.Pointer(&time)), 0, 0, 0, 0)
	return failed("clock_settime", "", errno)
}

// Random fills a buffer, or the beginning of it, with random bytes.
func Random(buffer []byte) (int, error) {
	n, errno := call(sysGetrandom, uintptr(unsafe.Pointer(&buffer[0])), uintptr(len(buffer)), 0, 0, 0, 0)
	return int(n), failed("getrandom", "", errno)
}

// Secret fills a buffer of at most 256 bytes with random bytes, once the kernel has any: it then
// gives as many at once.
func Secret(buffer []byte) error {
	n, err := Random(buffer)
	if err == nil && n < len(buffer) {
		err = failed("getrandom", "", syscall.EAGAIN)
	}
	return err
}
