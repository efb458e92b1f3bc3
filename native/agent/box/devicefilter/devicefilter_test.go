package devicefilter

import (
	"encoding/binary"
	"testing"

	"a3s.dev/box/agent/box/spec"
)

// permits runs a program as the kernel does.
func permits(t *testing.T, program []byte, kind, access uint16, major, minor uint32) bool {
	t.Helper()
	var registers [11]uint64
	asked := map[int16]uint32{0: uint32(access)<<16 | uint32(kind), 4: major, 8: minor}
	for at := 0; at < len(program)/8; at++ {
		code := program[8*at : 8*at+8]
		destination, source := &registers[code[1]&15], registers[code[1]>>4]
		offset, number := int16(binary.LittleEndian.Uint16(code[2:])), uint64(int64(int32(binary.LittleEndian.Uint32(code[4:]))))
		switch code[0] {
		case 0x61:
			*destination = uint64(asked[offset])
		case 0x57:
			*destination &= number
		case 0x77:
			*destination >>= number
		case 0xb7:
			*destination = number
		case 0xbf:
			*destination = source
		case 0x55:
			if *destination != number {
				at += int(offset)
			}
		case 0x5d:
			if *destination != source {
				at += int(offset)
			}
		case 0x95:
			return registers[0] == 1
		default:
			t.Fatalf("unknown instruction %x", code)
		}
	}
	t.Fatal("the program has no end")
	return false
}

func number(value int64) *int64 { return &value }

func TestRulesPermitWhatTheySay(t *testing.T) {
	program := Program([]Node{{Block: false, Major: 10, Minor: 229}}, []spec.DeviceRule{
		{Kind: spec.DeviceChar, Major: number(13), Access: "r"}, {Kind: spec.DeviceBlock, Major: number(7), Minor: number(300), Access: "wr"},
		{Kind: spec.DeviceChar, Minor: number(77), Access: "rwm"},
	})
	for _, c := range []struct {
		kind, access uint16
		major, minor uint32
		want         bool
	}{
		{typeChar, accessRead | accessWrite, 1, 3, true}, {typeChar, accessRead, 1, 1, false}, {typeChar, accessWrite, 136, 4000, true},
		{typeChar, accessMake, 250, 7, true}, {typeBlock, accessMake, 254, 0, true}, {typeBlock, accessRead, 254, 0, false},
		{typeChar, accessRead | accessWrite, 10, 229, true}, {typeBlock, accessRead, 10, 229, false}, {typeChar, accessRead, 10, 200, false},
		{typeChar, accessRead, 13, 64, true}, {typeChar, accessWrite, 13, 64, false}, {typeChar, accessRead | accessWrite, 13, 64, false},
		{typeBlock, accessRead | accessWrite, 7, 300, true}, {typeBlock, accessRead, 7, 301, false}, {typeBlock, accessRead | accessMake, 7, 300, false},
		{typeChar, accessRead, 99, 77, true}, {typeChar, accessRead, 99, 78, false}, {typeBlock, accessRead, 99, 77, false},
	} {
		if got := permits(t, program, c.kind, c.access, c.major, c.minor); got != c.want {
			t.Errorf("%d %d:%d access %d: got %v", c.kind, c.major, c.minor, c.access, got)
		}
	}
}

func TestARuleForAllNeedsNoProgram(t *testing.T) {
	if program := Program(nil, []spec.DeviceRule{{Kind: spec.DeviceAll, Major: number(1), Minor: number(1), Access: "r"}}); program != nil {
		t.Errorf("got %x", program)
	}
}
