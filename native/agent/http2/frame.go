package http2

import (
	"encoding/binary"

	"a3s.dev/box/agent/stream"
)

// headerBytes is the size of a frame's header; RFC 9113, section 4.1.
const headerBytes = stream.Room

// Types of frames.
const (
	typeData         = 0
	typeHeaders      = 1
	typePriority     = 2
	typeReset        = 3
	typeSettings     = 4
	typePush         = 5
	typePing         = 6
	typeGoAway       = 7
	typeWindowUpdate = 8
	typeContinuation = 9
)

// Flags of frames.
const (
	flagEndStream  = 1
	flagAck        = 1
	flagEndHeaders = 4
	flagPadded     = 8
	flagPriority   = 32
)

// Settings that matter here.
const (
	settingPush          = 2
	settingMaxStreams    = 3
	settingInitialWindow = 4
	settingMaxFrame      = 5
	settingMaxHeaderList = 6
)

// Codes that this end sends besides those of package stream.
const (
	flowControlError stream.Code = 3
	streamClosed     stream.Code = 5
	frameSizeError   stream.Code = 6
	refusedStream    stream.Code = 7
	compressionError stream.Code = 9
	enhanceYourCalm  stream.Code = 11
)

type frame struct {
	kind, flags byte
	stream      uint32
	payload     []byte
}

func (f *frame) has(flag byte) bool { return f.flags&flag != 0 }

// putHeader writes a frame's header to where its payload is preceded by room for it.
func putHeader(at []byte, length int, kind, flags byte, stream uint32) {
	binary.BigEndian.PutUint32(at, uint32(length)<<8|uint32(kind))
	at[4] = flags
	binary.BigEndian.PutUint32(at[5:], stream)
}

func appendHeader(to []byte, length int, kind, flags byte, stream uint32) []byte {
	to = append(to, byte(length>>16), byte(length>>8), byte(length), kind, flags)
	return binary.BigEndian.AppendUint32(to, stream)
}

func appendReset(to []byte, stream uint32, code stream.Code) []byte {
	return binary.BigEndian.AppendUint32(appendHeader(to, 4, typeReset, 0, stream), uint32(code))
}

func appendWindowUpdate(to []byte, stream uint32, increment int) []byte {
	return binary.BigEndian.AppendUint32(appendHeader(to, 4, typeWindowUpdate, 0, stream), uint32(increment))
}

func appendGoAway(to []byte, last uint32, code stream.Code) []byte {
	to = binary.BigEndian.AppendUint32(appendHeader(to, 8, typeGoAway, 0, 0), last)
	return binary.BigEndian.AppendUint32(to, uint32(code))
}

func appendSetting(to []byte, id uint16, value uint32) []byte {
	return binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint16(to, id), value)
}

// unpad strips what pads a payload; false when there is more padding than payload.
func unpad(f *frame) bool {
	if !f.has(flagPadded) {
		return true
	}
	if len(f.payload) == 0 || int(f.payload[0]) >= len(f.payload) {
		return false
	}
	f.payload = f.payload[1 : len(f.payload)-int(f.payload[0])]
	return true
}
