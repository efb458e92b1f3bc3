// Package ebpf writes programs of the kernel's machine.
package ebpf

import "encoding/binary"

// Operations, linux/bpf_common.h and linux/bpf.h.
const (
	LoadNumber  = 0x18 // dst = number, of which the next instruction has the upper half
	LoadWord    = 0x61 // dst = *(u32 *)(src + offset)
	StoreWord   = 0x63 // *(u32 *)(dst + offset) = src
	AndNumber   = 0x57 // dst &= number
	ShiftNumber = 0x77 // dst >>= number
	MoveNumber  = 0xb7 // dst = number
	MoveOther   = 0xbf // dst = src
	JumpUnequal = 0x55 // over offset where dst != number
	JumpWord    = 0x56 // over offset where the lower half of dst != number
	JumpOther   = 0x5d // over offset where dst != src
	Call        = 0x85 // result = the function of the kernel's that number names
	Exit        = 0x95
)

// Append appends an instruction to a program.
func Append(program []byte, operation, destination, source byte, offset int16, number int32) []byte {
	program = append(program, operation, source<<4|destination)
	program = binary.LittleEndian.AppendUint16(program, uint16(offset))
	return binary.LittleEndian.AppendUint32(program, uint32(number))
}
