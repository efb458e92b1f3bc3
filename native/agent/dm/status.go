package dm

import (
	"bytes"
	"encoding/binary"
	"errors"
	"unsafe"

	"a3s.dev/box/agent/linux"
)

const cmdTableStatus = 12

const (
	// flagTable asks for the table, and flagInactive for the one that was loaded and is not used
	// yet.
	flagTable    = 1 << 4
	flagFull     = 1 << 8
	flagInactive = 1 << 12
	// maxTable is more than a table of here has.
	maxTable = 4096
)

// errTable is an answer of the kernel's that is no table with one target.
var errTable = errors.New("the kernel tells no table of the device")

// table is one that the kernel tells. It may hold a key.
type table struct {
	buffer []byte
	kind   string
	params []byte
}

func (t *table) clear() { clear(t.buffer) }

// checked asks the kernel for the table of a device, and has it checked.
func (c control) checked(name string, flags uint32, check func(*table) error) error {
	if check == nil {
		return nil
	}
	t, err := c.table(name, flags|flagTable|flagSecure)
	if err != nil {
		return err
	}
	defer t.clear()
	return check(t)
}

func (c control) table(name string, flags uint32) (*table, error) {
	head, err := message(name, flags, nil)
	if err != nil {
		return nil, err
	}
	buffer := make([]byte, headerBytes+specBytes+maxTable)
	copy(buffer, head)
	binary.NativeEndian.PutUint32(buffer[atDataSize:], uint32(len(buffer)))
	if err := linux.Ioctl(int(c), request(cmdTableStatus), unsafe.Pointer(&buffer[0])); err != nil {
		clear(buffer)
		return nil, err
	}
	t, err := parseTable(buffer)
	if err != nil {
		clear(buffer)
	}
	return t, err
}

func parseTable(buffer []byte) (*table, error) {
	start := binary.NativeEndian.Uint32(buffer[atDataStart:])
	flags := binary.NativeEndian.Uint32(buffer[atFlags:])
	if flags&flagFull != 0 || start != headerBytes || binary.NativeEndian.Uint32(buffer[atTargetCount:]) != 1 {
		return nil, errTable
	}
	spec := buffer[headerBytes:]
	kind, _, ended := bytes.Cut(spec[24:specBytes], []byte{0})
	params, _, whole := bytes.Cut(spec[specBytes:], []byte{0})
	if !ended || !whole {
		return nil, errTable
	}
	return &table{buffer, string(kind), params}, nil
}
