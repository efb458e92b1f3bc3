package tee

import (
	"errors"
	"io"
	"net"
	"strings"
	"testing"
	"time"
)

// piped answers lines, and the host's end of their device.
func piped(t *testing.T) (*deviceLines, net.Conn) {
	t.Helper()
	guest, host := net.Pipe()
	t.Cleanup(func() { _, _ = guest.Close(), host.Close() })
	return &deviceLines{device: guest}, host
}

func TestLinesComeWhole(t *testing.T) {
	d, host := piped(t)
	go func() {
		for _, piece := range []string{"\nab", "c\n\nd", "ef\nrest"} {
			_, _ = host.Write([]byte(piece))
		}
	}()
	later := time.Now().Add(time.Minute)
	for _, want := range []string{"", "abc", "", "def"} {
		if line, err := d.Receive(later); err != nil || string(line) != want {
			t.Errorf("got %q, %v, want %q", line, err, want)
		}
	}
}

func TestALineThatIsTooLongIsDroppedToItsEnd(t *testing.T) {
	d, host := piped(t)
	go func() {
		for range 5 {
			_, _ = host.Write([]byte(strings.Repeat("x", maxLine)))
		}
		_, _ = host.Write([]byte("end\n" + strings.Repeat("y", maxLine) + "\nnext\n"))
	}()
	later := time.Now().Add(time.Minute)
	for _, want := range []string{strings.Repeat("y", maxLine), "next"} {
		if line, err := d.Receive(later); err != nil || string(line) != want {
			t.Errorf("got %d bytes, %v, want %d", len(line), err, len(want))
		}
	}
	if len(d.received) > 2*maxLine {
		t.Errorf("%d bytes are kept", len(d.received))
	}
}

func TestLinesHaveATime(t *testing.T) {
	d, _ := piped(t)
	before := time.Now().Add(-time.Second)
	if _, err := d.Receive(before); !errors.Is(err, errTime) {
		t.Errorf("got %v", err)
	}
	if err := d.Send([]byte("x\n"), before); !errors.Is(err, errTime) {
		t.Errorf("got %v", err)
	}
}

// unattached reads as ended for some times.
type unattached struct {
	net.Conn
	times int
}

func (u *unattached) Read(data []byte) (int, error) {
	if u.times > 0 {
		u.times--
		return 0, io.EOF
	}
	return copy(data, "line\n"), nil
}

func TestAPortWithoutAHostIsWaitedFor(t *testing.T) {
	guest, host := net.Pipe()
	defer guest.Close()
	defer host.Close()
	d := &deviceLines{device: &unattached{guest, 3}}
	if line, err := d.Receive(time.Now().Add(time.Minute)); err != nil || string(line) != "line" {
		t.Errorf("got %q, %v", line, err)
	}
	d = &deviceLines{device: &unattached{guest, 1 << 30}}
	if _, err := d.Receive(time.Now()); !errors.Is(err, errTime) {
		t.Errorf("got %v", err)
	}
}
