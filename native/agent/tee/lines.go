package tee

import (
	"bytes"
	"errors"
	"io"
	"os"
	"slices"
	"time"
)

// maxLine bounds a line, its end not counted.
const maxLine = 64 << 10

// detached is how long a port is left alone that reads as ended, which it does while no host is
// attached.
const detached = 50 * time.Millisecond

// errTime is a time that was over before something came or went.
var errTime = errors.New("the time is over")

// device is a virtio-serial port, or what stands in for one.
type device interface {
	io.ReadWriter
	SetReadDeadline(t time.Time) error
	SetWriteDeadline(t time.Time) error
}

// deviceLines are lines over a device. What is longer than a line may be is dropped up to its end.
type deviceLines struct {
	device   device
	received []byte
	// skipping: the line that comes is too long.
	skipping bool
}

func (d *deviceLines) Send(data []byte, until time.Time) error {
	if err := d.device.SetWriteDeadline(until); err != nil {
		return err
	}
	_, err := d.device.Write(data)
	return inTime(err)
}

func (d *deviceLines) Receive(until time.Time) ([]byte, error) {
	if err := d.device.SetReadDeadline(until); err != nil {
		return nil, err
	}
	buffer := make([]byte, 4<<10)
	for {
		if line, ok := d.next(); ok {
			return line, nil
		}
		n, err := d.device.Read(buffer)
		d.received = append(d.received, buffer[:n]...)
		if n > 0 {
			continue
		}
		switch {
		case errors.Is(err, io.EOF):
			if !time.Now().Before(until) {
				return nil, errTime
			}
			time.Sleep(detached)
		case err != nil:
			return nil, inTime(err)
		}
	}
}

// next returns a whole line of the received bytes.
func (d *deviceLines) next() ([]byte, bool) {
	for {
		end := bytes.IndexByte(d.received, '\n')
		if end < 0 {
			if len(d.received) > maxLine {
				d.received, d.skipping = nil, true
			}
			return nil, false
		}
		line := slices.Clone(d.received[:end])
		d.received = d.received[end+1:]
		skip := d.skipping || len(line) > maxLine
		d.skipping = false
		if !skip {
			return line, true
		}
	}
}

func inTime(err error) error {
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return errTime
	}
	return err
}
