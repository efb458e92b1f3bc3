// Package dm makes device-mapper devices: read-only ones whose every block is checked against a
// hash tree, and ones that are encrypted and authenticated under a key which nothing outside this
// guest ever has.
//
// The disk below belongs to the host, which may return anything for a read, at any time: bytes, an
// error, or nothing.
package dm

import (
	"encoding/binary"
	"errors"
	"strconv"
	"syscall"
	"unsafe"

	"a3s.dev/box/agent/linux"
)

const controlPath = "/dev/mapper/control"

// Commands of the control device, linux/dm-ioctl.h.
const (
	cmdVersion   = 0
	cmdCreate    = 3
	cmdRemove    = 4
	cmdSuspend   = 6
	cmdTableLoad = 9
)

// Flags of struct dm_ioctl.
const (
	flagReadonly = 1 << 0
	flagSuspend  = 1 << 1
	// flagDeferred has the kernel wait until nothing uses the device any more.
	flagDeferred = 1 << 17
	// flagSecure has the kernel wipe its copy of the message.
	flagSecure = 1 << 15
)

const (
	// headerBytes is the size of struct dm_ioctl, which begins every message.
	headerBytes = 312
	// specBytes is the size of struct dm_target_spec, which begins every target.
	specBytes = 40
	nameBytes = 128
	kindBytes = 16
	// maxMessage is more than any table here needs.
	maxMessage = 64 << 10
	// SectorBytes is the unit of lengths of devices.
	SectorBytes = 512
)

// Offsets in struct dm_ioctl.
const (
	atVersion     = 0
	atDataSize    = 12
	atDataStart   = 16
	atTargetCount = 20
	atFlags       = 28
	atDevice      = 40
	atName        = 48
)

// The interface that this package speaks; the kernel refuses another major version, and no older
// minor one.
var interfaceVersion = [3]uint32{4, 0, 0}

// Target is an entry of a device-mapper table, over the whole device.
type Target struct {
	// Sectors is the length of the device.
	Sectors uint64
	Kind    string
	// Params may hold a key.
	Params []byte
}

// Device is a device that was made.
type Device struct {
	Name string
	// Path is its device file.
	Path string
}

// message is the buffer of one command.
func message(name string, flags uint32, target *Target) ([]byte, error) {
	size := headerBytes
	if target != nil {
		size += specBytes + aligned(len(target.Params)+1)
	}
	if len(name) >= nameBytes || size > maxMessage || target != nil && len(target.Kind) >= kindBytes {
		return nil, &linux.Error{Op: "device-mapper", On: name, Errno: syscall.EMSGSIZE}
	}
	buffer := make([]byte, size)
	for index, part := range interfaceVersion {
		binary.NativeEndian.PutUint32(buffer[atVersion+4*index:], part)
	}
	binary.NativeEndian.PutUint32(buffer[atDataSize:], uint32(size))
	binary.NativeEndian.PutUint32(buffer[atDataStart:], headerBytes)
	binary.NativeEndian.PutUint32(buffer[atFlags:], flags)
	copy(buffer[atName:], name)
	if target != nil {
		binary.NativeEndian.PutUint32(buffer[atTargetCount:], 1)
		spec := buffer[headerBytes:]
		binary.NativeEndian.PutUint64(spec[8:], target.Sectors)
		binary.NativeEndian.PutUint32(spec[20:], uint32(size-headerBytes))
		copy(spec[24:], target.Kind)
		copy(spec[specBytes:], target.Params)
	}
	return buffer, nil
}

func aligned(n int) int { return (n + 7) &^ 7 }

// request is the number of a command: _IOWR(0xfd, command, struct dm_ioctl).
func request(command uintptr) uintptr { return 3<<30 | headerBytes<<16 | 0xfd<<8 | command }

// control is the open control device.
type control int

func openControl() (control, error) {
	fd, err := linux.OpenAt(-1, controlPath, syscall.O_RDWR, 0, 0)
	return control(fd), err
}

func (c control) close() error { return syscall.Close(int(c)) }

// do runs one command, and wipes its message.
func (c control) do(what string, command uintptr, name string, flags uint32, target *Target) (device uint64, err error) {
	buffer, err := message(name, flags, target)
	if err != nil {
		return 0, err
	}
	defer clear(buffer)
	if err := linux.Ioctl(int(c), request(command), unsafe.Pointer(&buffer[0])); err != nil {
		var failed *linux.Error
		if errors.As(err, &failed) {
			return 0, &linux.Error{Op: what, On: name, Errno: failed.Errno}
		}
		return 0, err
	}
	return binary.NativeEndian.Uint64(buffer[atDevice:]), nil
}

// Create makes a device with one target and has it go on.
func Create(name string, flags uint32, target Target) (Device, error) {
	return createChecked(name, flags, target, nil)
}

// createChecked makes a device whose table, as the kernel reports it, passes a check before the
// device goes on and afterwards: a target may read its disk both times. nil checks nothing.
func createChecked(name string, flags uint32, target Target, check func(*table) error) (Device, error) {
	c, err := openControl()
	if err != nil {
		return Device{}, err
	}
	device, err := c.create(name, flags, &target, check)
	return device, errors.Join(err, c.close())
}

func (c control) create(name string, flags uint32, target *Target, check func(*table) error) (Device, error) {
	number, err := c.do("create device", cmdCreate, name, 0, nil)
	if err != nil {
		return Device{}, err
	}
	if err := c.start(name, flags, target, check); err != nil {
		_, removed := c.do("remove device", cmdRemove, name, 0, nil)
		return Device{}, errors.Join(err, removed)
	}
	return Device{name, "/dev/dm-" + strconv.FormatUint(minor(number), 10)}, nil
}

func (c control) start(name string, flags uint32, target *Target, check func(*table) error) error {
	if _, err := c.do("load table of "+target.Kind+" into", cmdTableLoad, name, flags, target); err != nil {
		return err
	}
	if err := c.checked(name, flagInactive, check); err != nil {
		return err
	}
	// Without the flag of a suspension it resumes, with the table that was loaded.
	if _, err := c.do("resume", cmdSuspend, name, flags&flagReadonly, nil); err != nil {
		return err
	}
	return c.checked(name, 0, check)
}

// minor is that of a device number as the kernel's huge_encode_dev packs it.
func minor(device uint64) uint64 { return device&0xff | device>>12&^0xff }

// Suspend lets no more reads and writes through until Resume; those under way are waited for.
func (d Device) Suspend() error { return d.command("suspend", cmdSuspend, flagSuspend) }

// Resume lets them through again.
func (d Device) Resume() error { return d.command("resume", cmdSuspend, 0) }

// Remove takes the device away, which nothing uses any more, and its key with it.
func (d Device) Remove() error { return d.command("remove device", cmdRemove, 0) }

// RemoveLater takes the device away as soon as nothing uses it any more.
func (d Device) RemoveLater() error { return d.command("remove device", cmdRemove, flagDeferred) }

func (d Device) command(what string, command uintptr, flags uint32) error {
	c, err := openControl()
	if err != nil {
		return err
	}
	_, err = c.do(what, command, d.Name, flags, nil)
	return errors.Join(err, c.close())
}

// Version is that of the kernel's device mapper.
func Version() ([3]uint32, error) {
	c, err := openControl()
	if err != nil {
		return [3]uint32{}, err
	}
	defer c.close()
	buffer, err := message("", 0, nil)
	if err != nil {
		return [3]uint32{}, err
	}
	if err := linux.Ioctl(int(c), request(cmdVersion), unsafe.Pointer(&buffer[0])); err != nil {
		return [3]uint32{}, err
	}
	var version [3]uint32
	for index := range version {
		version[index] = binary.NativeEndian.Uint32(buffer[atVersion+4*index:])
	}
	return version, nil
}
