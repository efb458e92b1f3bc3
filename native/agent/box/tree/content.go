package tree

import (
	"io"
	"syscall"
)

// Where a file has data and where holes, lseek(2).
const (
	seekData = 3
	seekHole = 4
)

// copyContent copies a file's data into an empty file, and makes holes where it has holes.
func copyContent(from, to int, buffer []byte) error {
	var stat syscall.Stat_t
	if err := syscall.Fstat(from, &stat); err != nil {
		return StepError("stat", err)
	}
	for at := int64(0); at < stat.Size; {
		start, end, err := nextData(from, at, stat.Size)
		if err != nil {
			return err
		}
		if err := copyRange(from, to, start, end, buffer); err != nil {
			return err
		}
		at = end
	}
	return StepError("truncate", syscall.Ftruncate(to, stat.Size))
}

// nextData finds data from an offset on; none is at the end.
func nextData(fd int, at, size int64) (start, end int64, err error) {
	start, err = syscall.Seek(fd, at, seekData)
	switch err {
	case nil:
	case syscall.ENXIO:
		return size, size, nil
	case syscall.EINVAL:
		// The filesystem knows no holes.
		return at, size, nil
	default:
		return 0, 0, StepError("seek", err)
	}
	end, err = syscall.Seek(fd, start, seekHole)
	return start, min(end, size), StepError("seek", err)
}

func copyRange(from, to int, start, end int64, buffer []byte) error {
	for start < end {
		n, err := syscall.Pread(from, buffer[:min(int64(len(buffer)), end-start)], start)
		if err == syscall.EINTR {
			continue
		}
		if err != nil {
			return StepError("read", err)
		}
		if n == 0 {
			return io.ErrUnexpectedEOF
		}
		for written := 0; written < n; {
			m, err := syscall.Pwrite(to, buffer[written:n], start+int64(written))
			if err != nil && err != syscall.EINTR {
				return StepError("write", err)
			}
			written += max(m, 0)
		}
		start += int64(n)
	}
	return nil
}
