package files

import (
	"syscall"
	"time"

	"a3s.dev/box/agent/linux"
)

// Stat describes what a path names. Mode has the bits of Go's fs.FileMode.
type Stat struct {
	Name       string
	Size       int64
	Mode       uint32
	Modified   time.Time
	LinkTarget string
}

// Bits of fs.FileMode, by which Docker's clients read a mode.
const (
	modeDir        = 1 << 31
	modeSymlink    = 1 << 27
	modeDevice     = 1 << 26
	modeNamedPipe  = 1 << 25
	modeSocket     = 1 << 24
	modeSetuid     = 1 << 23
	modeSetgid     = 1 << 22
	modeCharDevice = 1 << 21
	modeSticky     = 1 << 20
)

var kinds = map[uint32]uint32{
	syscall.S_IFDIR: modeDir, syscall.S_IFLNK: modeSymlink, syscall.S_IFBLK: modeDevice, syscall.S_IFCHR: modeDevice | modeCharDevice,
	syscall.S_IFIFO: modeNamedPipe, syscall.S_IFSOCK: modeSocket,
}

func fileMode(mode uint32) uint32 {
	bits := mode&0o777 | kinds[mode&syscall.S_IFMT]
	for bit, is := range map[uint32]uint32{syscall.S_ISUID: modeSetuid, syscall.S_ISGID: modeSetgid, syscall.S_ISVTX: modeSticky} {
		if mode&bit != 0 {
			bits |= is
		}
	}
	return bits
}

// Stat describes what a path names; a link only where the path does not end in `/` or `/.`.
func (t Tree) Stat(text string) (*Stat, error) {
	p, err := parsePlace(text)
	if err != nil {
		return nil, err
	}
	fd, err := t.open(p)
	if err != nil {
		return nil, err
	}
	defer syscall.Close(fd)
	return t.stat(p, fd)
}

func (t Tree) stat(p place, fd int) (*Stat, error) {
	var stat syscall.Stat_t
	if err := syscall.Fstat(fd, &stat); err != nil {
		return nil, &linux.Error{Op: "stat", On: p.text(), Errno: err.(syscall.Errno)}
	}
	s := &Stat{Name: p.name, Size: stat.Size, Mode: fileMode(stat.Mode), Modified: time.Unix(stat.Mtim.Unix())}
	if stat.Mode&syscall.S_IFMT == syscall.S_IFLNK {
		var err error
		if s.LinkTarget, err = t.target(p.clean); err != nil {
			return nil, err
		}
	}
	return s, nil
}
