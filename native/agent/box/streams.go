package box

import (
	"errors"
	"os"
	"syscall"
	"time"

	"a3s.dev/box/agent/linux"
	"a3s.dev/box/agent/output"
)

// streams are the agent's ends of a process's standard streams, and the process's own.
type streams struct {
	input, stdout, stderr *os.File
	theirs                [3]int
}

// openStreams makes pipes; a process with a terminal needs none.
func openStreams(terminal, stdin bool) (*streams, error) {
	s := &streams{theirs: [3]int{-1, -1, -1}}
	if terminal {
		return s, nil
	}
	var err error
	if stdin {
		var read, write int
		if read, write, err = linux.Pipe(); err != nil {
			return nil, err
		}
		s.theirs[0] = read
		if s.input, err = polled(write, "stdin"); err != nil {
			return nil, errors.Join(err, s.closeTheirs(), s.closeOurs())
		}
	}
	for _, output := range []struct {
		name   string
		ours   **os.File
		theirs *int
	}{{"stdout", &s.stdout, &s.theirs[1]}, {"stderr", &s.stderr, &s.theirs[2]}} {
		var read int
		if read, *output.theirs, err = linux.Pipe(); err == nil {
			*output.ours, err = polled(read, output.name)
		}
		if err != nil {
			return nil, errors.Join(err, s.closeTheirs(), s.closeOurs())
		}
	}
	return s, nil
}

// polled wraps our end of a pipe. O_NONBLOCK belongs to the end, so the process's own stays as it is.
func polled(fd int, name string) (*os.File, error) {
	if err := syscall.SetNonblock(fd, true); err != nil {
		return nil, errors.Join(err, syscall.Close(fd))
	}
	return os.NewFile(uintptr(fd), name), nil
}

// narrow keeps of all streams those that a process has.
func (s *streams) narrow(terminal, stdin bool) error {
	var errs []error
	for _, stream := range []struct {
		file   **os.File
		wanted bool
	}{{&s.input, stdin && !terminal}, {&s.stdout, !terminal}, {&s.stderr, !terminal}} {
		if *stream.file != nil && !stream.wanted {
			errs = append(errs, (*stream.file).Close())
			*stream.file = nil
		}
	}
	return errors.Join(errs...)
}

func (s *streams) closeTheirs() error {
	var errs []error
	for _, fd := range s.theirs {
		if fd >= 0 {
			errs = append(errs, syscall.Close(fd))
		}
	}
	s.theirs = [3]int{-1, -1, -1}
	return errors.Join(errs...)
}

func (s *streams) closeOurs() error {
	var errs []error
	for _, file := range []*os.File{s.input, s.stdout, s.stderr} {
		if file != nil {
			errs = append(errs, file.Close())
		}
	}
	return errors.Join(errs...)
}

func (s *streams) outputs() []source {
	if s.stdout == nil {
		return nil
	}
	return []source{{output.Stdout, s.stdout}, {output.Stderr, s.stderr}}
}

// source is one stream that a process writes to.
type source struct {
	stream byte
	file   *os.File
}

// pump copies until every writer has closed, or the time that endWithin gave is over.
func (s source) pump(ring *output.Ring) {
	buffer := make([]byte, 32<<10)
	for {
		n, err := s.file.Read(buffer)
		ring.Write(s.stream, buffer[:n])
		if errors.Is(err, os.ErrDeadlineExceeded) {
			s.drain(ring, buffer)
		}
		if err != nil {
			// The end of a pipe is EOF, that of a terminal EIO. Nobody is left to be told of another one.
			_ = s.file.Close()
			return
		}
	}
}

// drain copies what was written before the time was over: no byte of it is lost, however long the ring was full.
func (s source) drain(ring *output.Ring, buffer []byte) {
	connection, err := s.file.SyscallConn()
	if err != nil {
		return
	}
	ready := 0
	if connection.Control(func(fd uintptr) { ready, err = linux.Readable(int(fd)) }) != nil || err != nil {
		return
	}
	if s.file.SetReadDeadline(time.Time{}) != nil {
		return
	}
	for ready > 0 {
		n, err := s.file.Read(buffer[:min(ready, len(buffer))])
		ring.Write(s.stream, buffer[:n])
		if err != nil {
			return
		}
		ready -= n
	}
}

// endWithin bounds the wait for writers that outlive the process.
func (s source) endWithin(grace time.Duration) {
	if err := s.file.SetReadDeadline(time.Now().Add(grace)); err != nil && !errors.Is(err, os.ErrClosed) {
		// Without a deadline the end could wait for ever.
		_ = s.file.Close()
	}
}
