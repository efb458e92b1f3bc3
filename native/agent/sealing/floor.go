package sealing

import (
	"encoding/binary"
	"encoding/hex"
	"math"
)

// Floor is the least SVN and TCB of what a caller opens. A party with the key of an old TCB that
// was broken can make envelopes and references of it, and only a floor refuses them.
type Floor struct {
	svn uint32
	tcb [8]byte
}

// ParseFloor reads a floor; nil is none. A TCB is TCB_VERSION in 16 lower-case hexadecimal digits,
// in the order of a header.
func ParseFloor(svn *int64, tcb *string) (floor Floor, err error) {
	if svn != nil {
		if *svn < 0 || *svn > math.MaxUint32 {
			return Floor{}, ErrFloorSVN
		}
		floor.svn = uint32(*svn)
	}
	if tcb != nil {
		data, err := hex.DecodeString(*tcb)
		if err != nil || len(data) != len(floor.tcb) || hex.EncodeToString(data) != *tcb {
			return Floor{}, ErrMinimumTCB
		}
		floor.tcb = [8]byte(data)
	}
	return floor, nil
}

// permit compares each part of a TCB by itself: a higher one does not make up for a lower one.
func (f *Floor) permit(h *header) error {
	if h.guestSVN < f.svn {
		return ErrBelowSVN
	}
	tcb := binary.BigEndian.AppendUint64(nil, h.tcb)
	for part, least := range f.tcb {
		if tcb[part] < least {
			return ErrBelowTCB
		}
	}
	return nil
}
