package process

import (
	"errors"
	"io"
	"os"
	"syscall"
	"time"

	"a3s.dev/box/agent/linux"
	"a3s.dev/box/agent/output"
)

// streams are the agent's ends of a process's standard streams, and the process's own.
type streams struct {
	// pipe is the agent's end of the standard input, and input is the same end once the process has
	// an input. A process without one keeps pipe until it has exited.
	pipe                  int
	input, stdout, stderr *os.File
	theirs                [3]int
	// buffers are reused to read output into.
	buffers [2][]byte
}

// room is how much of an output is read at once.
const room = 32 << 10

// openStreams makes pipes; a process with a terminal needs none.
func openStreams(terminal, stdin bool) (*streams, error) {
	s := &streams{pipe: -1, theirs: [3]int{-1, -1, -1}}
	if terminal {
		return s, nil
	}
	var err error
	if stdin {
		if s.theirs[0], s.pipe, err = linux.Pipe(); err != nil {
			return nil, err
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
	s.buffers = [2][]byte{make([]byte, room), make([]byte, room)}
	return s, nil
}

// polled wraps the agent's end of a pipe. O_NONBLOCK belongs to one end, so the process's end still
// blocks.
func polled(fd int, name string) (*os.File, error) {
	if err := syscall.SetNonblock(fd, true); err != nil {
		return nil, errors.Join(err, syscall.Close(fd))
	}
	return os.NewFile(uintptr(fd), name), nil
}

// narrow closes the streams that a process does not have.
func (s *streams) narrow(terminal, stdin bool) (err error) {
	if terminal {
		err = errors.Join(s.stdout.Close(), s.stderr.Close())
		s.stdout, s.stderr = nil, nil
		return err
	}
	if stdin {
		s.input, err = polled(s.pipe, "stdin")
		s.pipe = -1
	}
	return err
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

// closePipe closes the input of a process that has none.
func (s *streams) closePipe() error {
	if s.pipe < 0 {
		return nil
	}
	fd := s.pipe
	s.pipe = -1
	return syscall.Close(fd)
}

func (s *streams) closeOurs() error {
	errs := []error{s.closePipe()}
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
	return []source{newSource(output.Stdout, s.stdout, s.buffers[0]), newSource(output.Stderr, s.stderr, s.buffers[1])}
}

// source is one output stream of a process.
type source struct {
	stream byte
	file   *os.File
	room   []byte
	// ended is closed when nothing more will come.
	ended chan struct{}
}

func newSource(stream byte, file *os.File, room []byte) source {
	return source{stream, file, room, make(chan struct{})}
}

// pump copies until every writer has closed, or the time that endWithin gave is over.
func (s source) pump(ring *output.Ring) {
	defer close(s.ended)
	buffer := s.room
	for {
		n, err := s.file.Read(buffer)
		ring.Write(s.stream, buffer[:n])
		// The usual end first: it needs no search among the errors.
		if err != io.EOF && errors.Is(err, os.ErrDeadlineExceeded) {
			s.drain(ring, buffer)
		}
		if err != nil {
			// The end of a pipe is EOF, that of a terminal EIO. No caller is left that another
			// error could be returned to.
			return
		}
	}
}

// drain copies what was written before the time was over: no byte of it is lost, however long the
// ring was full.
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
	select {
	case <-s.ended:
		return
	default:
	}
	if err := s.file.SetReadDeadline(time.Now().Add(grace)); err != nil && !errors.Is(err, os.ErrClosed) {
		// Without a deadline the end could wait without bound.
		_ = s.file.Close()
	}
}
