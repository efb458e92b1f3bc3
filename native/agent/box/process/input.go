package process

import (
	"context"
	"errors"
	"io"
	"os"
	"sync"
	"syscall"
	"time"
)

// Errors of an input.
var (
	// ErrInputTaken is a second writer.
	ErrInputTaken = errors.New("the input is taken")
	// ErrNoInput is a process that was started without one, or whose input was ended.
	ErrNoInput = errors.New("the process has no input")
	// ErrInputAborted is a writer that broke off; the input stays open.
	ErrInputAborted = errors.New("the input broke off")
)

// Input is the standard input of a process, which its client writes. It has one writer at a time.
type Input struct {
	mu     sync.Mutex
	file   *os.File
	closes bool
	taken  bool
	exited chan struct{}
}

func newInput() *Input { return &Input{exited: make(chan struct{})} }

// open begins the input; closes says whether its end is an end for the process. A terminal's is
// not.
func (i *Input) open(file *os.File, closes bool) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.file, i.closes = file, closes
}

func (i *Input) processExited() {
	close(i.exited)
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.file != nil && i.closes {
		// The bytes that a failing close would lose have no reader any more.
		_ = i.file.Close()
	}
	i.file = nil
}

// Writer has the right to write to an input.
type Writer struct {
	input *Input
	// file is nil once the process has exited.
	file *os.File
}

// Take makes the caller the input's one writer, until its Write is over. It does not wait.
func (i *Input) Take() (*Writer, error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	select {
	case <-i.exited:
		return &Writer{i, nil}, nil
	default:
	}
	switch {
	case i.file == nil:
		return nil, ErrNoInput
	case i.taken:
		return nil, ErrInputTaken
	}
	i.taken = true
	return &Writer{i, i.file}, nil
}

// Write copies a body until it ends, which ends the input too, or the process no longer reads: then
// closed is true. Each write is bounded by the context. It is called once.
func (w *Writer) Write(ctx context.Context, body io.Reader) (closed bool, err error) {
	i, file := w.input, w.file
	if file == nil {
		return true, nil
	}
	defer i.release()
	// Wakes a write that waits for a process that does not read.
	interrupted := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(interrupted)
		i.interrupt(file)
	})
	defer stop()
	done := make(chan error, 1)
	go func() { done <- copyInput(file, body) }()
	select {
	case err = <-done:
	case <-i.exited:
		// The copy ends with its body, which ends with the request.
		i.interrupt(file)
		return true, nil
	}
	select {
	case <-i.exited:
		return true, nil
	default:
	}
	switch {
	case err == nil:
		return false, i.end()
	case errors.Is(err, syscall.EPIPE), errors.Is(err, syscall.EIO):
		return true, i.end()
	default:
		// Another writer may go on: what interrupts this one has to be over, or it would interrupt
		// that one.
		if !stop() {
			<-interrupted
		}
		return false, errors.Join(ErrInputAborted, file.SetWriteDeadline(time.Time{}))
	}
}

func copyInput(file *os.File, body io.Reader) error {
	buffer := make([]byte, 32<<10)
	for {
		n, err := body.Read(buffer)
		if n > 0 {
			if _, err := file.Write(buffer[:n]); err != nil {
				return err
			}
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

func (i *Input) interrupt(file *os.File) {
	// A file that is closed already needs no interruption.
	_ = file.SetWriteDeadline(time.Now())
}

func (i *Input) release() {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.taken = false
}

// end closes the input for good.
func (i *Input) end() error {
	i.mu.Lock()
	defer i.mu.Unlock()
	file := i.file
	i.file = nil
	if !i.closes {
		return nil
	}
	if err := file.Close(); err != nil && !errors.Is(err, os.ErrClosed) {
		return err
	}
	return nil
}
