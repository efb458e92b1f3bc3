package tee

import (
	"bytes"
	"errors"
	"net"
	"testing"
	"time"
)

// saying is a port whose host says these bytes, and nothing more.
type saying struct {
	net.Conn
	rest []byte
}

func (s *saying) Read(data []byte) (int, error) {
	if len(s.rest) == 0 {
		return 0, errTime
	}
	n := copy(data, s.rest)
	s.rest = s.rest[n:]
	return n, nil
}
func (s *saying) Write(data []byte) (int, error)   { return len(data), nil }
func (s *saying) SetReadDeadline(time.Time) error  { return nil }
func (s *saying) SetWriteDeadline(time.Time) error { return nil }

// FuzzHost: whatever a host says, there is a report over the guest's own bytes, or an error.
func FuzzHost(f *testing.F) {
	const id = `{"id":"0000000000000001",`
	for _, seed := range []string{
		"", "\n\n", id + `"report":"","certificates":""}` + "\n", id + `"key":"` + "00" + `"}` + "\n",
		id + `"error":{"code":"refused","message":"no"}}` + "\n", id + `"report":"AAAA","certificates":"AA=="}` + "\n", "[[[[\n", "\xff\n",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, said []byte) {
		now := time.Time{}
		p := newPort(&deviceLines{device: &saying{rest: bytes.Clone(said)}})
		p.identify = func() string { return "0000000000000001" }
		p.now = func() time.Time { now = now.Add(attemptTime); return now }
		data := [64]byte{1, 2, 3}
		report, err := p.Report(data)
		if err == nil && check(report.Report, data) != nil {
			t.Error("a report over something else was taken")
		}
		var refusal *Refusal
		if err != nil && !errors.Is(err, ErrReport) && !errors.Is(err, ErrSilent) && !errors.As(err, &refusal) {
			t.Errorf("got %v", err)
		}
	})
}
