package process

import (
	"context"
	"errors"
	"io"
	"os"
	"strings"
	"syscall"
	"testing"
)

// aborted is the body of a request that breaks off.
type aborted struct{ cancel context.CancelFunc }

func (a aborted) Read([]byte) (int, error) {
	a.cancel()
	return 0, io.ErrUnexpectedEOF
}

func TestAWriterThatBrokeOffDoesNotInterruptTheNext(t *testing.T) {
	for range 2000 {
		in := newInput()
		reader, writer := inputPipe(t)
		in.open(writer, true)
		ctx, cancel := context.WithCancel(context.Background())
		if _, err := write(ctx, in, aborted{cancel}); !errors.Is(err, ErrInputAborted) {
			t.Fatalf("the first writer's error is %v", err)
		}
		closed, err := write(context.Background(), in, strings.NewReader("two"))
		if closed || err != nil {
			t.Fatalf("closed %v, %v", closed, err)
		}
		if got, err := io.ReadAll(reader); err != nil || string(got) != "two" {
			t.Fatalf("the process read %q, %v", got, err)
		}
		if err := reader.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

func TestOfTwoWritersTheFirstHasTheInput(t *testing.T) {
	in := newInput()
	reader, file := inputPipe(t)
	in.open(file, true)
	first, err := in.Take()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := in.Take(); !errors.Is(err, ErrInputTaken) {
		t.Errorf("the second writer's error is %v", err)
	}
	if closed, err := first.Write(context.Background(), strings.NewReader("")); closed || err != nil {
		t.Errorf("closed %v, %v", closed, err)
	}
	if _, err := in.Take(); !errors.Is(err, ErrNoInput) {
		t.Errorf("a writer after the end has error %v", err)
	}
	if err := reader.Close(); err != nil {
		t.Fatal(err)
	}
}

func write(ctx context.Context, in *Input, body io.Reader) (bool, error) {
	writer, err := in.Take()
	if err != nil {
		return false, err
	}
	return writer.Write(ctx, body)
}

// inputPipe is a pipe whose writer's waits can be interrupted, as an input's.
func inputPipe(t *testing.T) (reader, writer *os.File) {
	t.Helper()
	var ends [2]int
	if err := syscall.Pipe2(ends[:], syscall.O_CLOEXEC|syscall.O_NONBLOCK); err != nil {
		t.Fatal(err)
	}
	return os.NewFile(uintptr(ends[0]), "reader"), os.NewFile(uintptr(ends[1]), "writer")
}
