package output

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"testing"
)

// readAll reads from an offset to the end, and answers what each stream said.
func readAll(t *testing.T, r *Ring, offset uint64) [4][]byte {
	t.Helper()
	var got [4][]byte
	buffer := make([]byte, 1000)
	for {
		stream, n, err := r.Read(t.Context(), offset, buffer)
		if err != nil {
			t.Fatal(err)
		}
		if stream == end {
			return got
		}
		got[stream] = append(got[stream], buffer[:n]...)
		offset += uint64(n)
	}
}

func TestRingKeepsBothStreamsInOrder(t *testing.T) {
	r := New()
	r.Write(Stdout, []byte("one"))
	r.Write(Stderr, []byte("two"))
	r.Write(Stdout, []byte("three"))
	r.End()
	got := readAll(t, r, 0)
	if string(got[Stdout]) != "onethree" || string(got[Stderr]) != "two" {
		t.Errorf("got %q and %q", got[Stdout], got[Stderr])
	}
	if again := readAll(t, r, 4); string(again[Stderr]) != "wo" || string(again[Stdout]) != "three" {
		t.Errorf("from 4 got %q", again)
	}
}

func TestRingHoldsTheWriterBackWhenItIsFull(t *testing.T) {
	r := New()
	r.Write(Stdout, make([]byte, Capacity))
	done := make(chan struct{})
	go func() {
		r.Write(Stdout, []byte("x"))
		close(done)
	}()
	if written, _ := r.Position(); written != Capacity {
		t.Fatalf("written %d", written)
	}
	select {
	case <-done:
		t.Fatal("a full ring took more")
	default:
	}
	if err := r.Acknowledge(1); err != nil {
		t.Fatal(err)
	}
	<-done
	if written, acknowledged := r.Position(); written != Capacity+1 || acknowledged != 1 {
		t.Errorf("written %d, acknowledged %d", written, acknowledged)
	}
}

func TestRingBoundsItsBookkeeping(t *testing.T) {
	r := New()
	for index := range 2 * maxRuns {
		r.append(byte(1+index%2), []byte{0})
	}
	if len(r.runs) != maxRuns {
		t.Errorf("keeps %d runs, want %d", len(r.runs), maxRuns)
	}
}

func TestRingRefusesOffsets(t *testing.T) {
	r := New()
	r.Write(Stdout, []byte("0123456789"))
	if err := r.Acknowledge(5); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		err  error
		want error
	}{
		"an acknowledgement below an earlier one": {r.Acknowledge(4), ErrOffset},
		"the same one again":                      {r.Acknowledge(5), nil},
		"one above what was written":              {r.Acknowledge(11), ErrOffset},
	} {
		if !errors.Is(c.err, c.want) {
			t.Errorf("%s: got %v, want %v", name, c.err, c.want)
		}
	}
	for offset, want := range map[uint64]bool{4: false, 5: true, 10: true, 11: false} {
		if got := r.Holds(offset); got != want {
			t.Errorf("Holds(%d) is %v", offset, got)
		}
	}
}

func TestReadEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, _, err := New().Read(ctx, 0, make([]byte, 1)); !errors.Is(err, ErrGone) {
		t.Errorf("got %v", err)
	}
}

func noFlush() error { return nil }

func TestFramesFollowWithoutGap(t *testing.T) {
	r := New()
	r.Write(Stdout, bytes.Repeat([]byte("a"), maxPayloadBytes+1))
	r.Write(Stderr, []byte("b"))
	r.End()
	var out bytes.Buffer
	sent := SentFrom(1)
	if err := r.WriteFrames(t.Context(), 1, sent, &out, noFlush); err != nil {
		t.Fatal(err)
	}
	type frame struct {
		stream byte
		length uint32
		offset uint64
	}
	want := []frame{{Stdout, maxPayloadBytes, 1}, {Stderr, 1, maxPayloadBytes + 1}, {end, 0, maxPayloadBytes + 2}}
	for _, want := range want {
		head := out.Next(headerBytes)
		got := frame{head[0], binary.BigEndian.Uint32(head[4:]), binary.BigEndian.Uint64(head[8:])}
		if got != want || head[1] != 0 || head[2] != 0 || head[3] != 0 {
			t.Fatalf("got %+v, want %+v", got, want)
		}
		out.Next(int(got.length))
	}
	if out.Len() != 0 || sent.offset() != maxPayloadBytes+2 {
		t.Errorf("%d bytes are left, sent %d", out.Len(), sent.offset())
	}
}

func acks(offsets ...uint64) io.Reader {
	var b []byte
	for _, offset := range offsets {
		b = binary.BigEndian.AppendUint64(b, offset)
	}
	return bytes.NewReader(b)
}

func TestAcksAreHeldToWhatWasSent(t *testing.T) {
	for name, c := range map[string]struct {
		body io.Reader
		want error
	}{
		"rising":            {acks(1, 2, 2, 5), nil},
		"above the sent":    {acks(6), ErrOffset},
		"falling":           {acks(3, 2), ErrOffset},
		"half an offset":    {bytes.NewReader([]byte{0, 0, 0}), ErrOffset},
		"nothing":           {acks(), nil},
		"the largest there": {acks(1<<64 - 1), ErrOffset},
	} {
		t.Run(name, func(t *testing.T) {
			r := New()
			r.Write(Stdout, []byte("0123456789"))
			if err := r.ReadAcks(SentFrom(5), c.body); !errors.Is(err, c.want) {
				t.Errorf("got %v, want %v", err, c.want)
			}
		})
	}
}

// FuzzFrames writes, acknowledges and reads by a script, beside a plain slice that must agree.
func FuzzFrames(f *testing.F) {
	f.Add([]byte{0, 10, 1, 20, 2, 5, 3, 0})
	f.Add([]byte{0, 255, 2, 255, 0, 255, 3, 200, 1, 255, 2, 255})
	f.Fuzz(func(t *testing.T, script []byte) {
		r := New()
		var model []byte
		var acknowledged uint64
		for step := 0; step+1 < len(script); step += 2 {
			amount := int(script[step+1]) * 37
			switch script[step] % 4 {
			case 0, 1:
				data := bytes.Repeat([]byte{byte(len(model))}, amount)
				model = append(model, data[:r.append(1+script[step]%2, data)]...)
			case 2:
				offset := acknowledged + uint64(amount)
				err := r.Acknowledge(offset)
				if (err == nil) != (offset <= uint64(len(model))) {
					t.Fatalf("acknowledging %d of %d: %v", offset, len(model), err)
				}
				if err == nil {
					acknowledged = offset
				}
			case 3:
				offset := acknowledged + uint64(amount)
				buffer := make([]byte, 100)
				_, n, err := r.peek(offset, buffer)
				if (err == nil) != (offset <= uint64(len(model))) {
					t.Fatalf("reading at %d of %d: %v", offset, len(model), err)
				}
				if err == nil && !bytes.Equal(buffer[:n], model[offset:offset+uint64(n)]) {
					t.Fatalf("at %d: wrong bytes", offset)
				}
			}
		}
		if uint64(len(model))-acknowledged > Capacity {
			t.Fatal("the ring holds more than its capacity")
		}
	})
}

// FuzzAcks: no stream of bytes makes the ring forget what was not sent.
func FuzzAcks(f *testing.F) {
	f.Add([]byte{0, 0, 0, 0, 0, 0, 0, 5, 0, 0, 0, 0, 0, 0, 0, 9})
	f.Add([]byte{255, 255, 255, 255, 255, 255, 255, 255})
	f.Fuzz(func(t *testing.T, body []byte) {
		r := New()
		r.Write(Stdout, make([]byte, 100))
		err := r.ReadAcks(SentFrom(50), bytes.NewReader(body))
		if err != nil && !errors.Is(err, ErrOffset) {
			t.Fatal(err)
		}
		if _, acknowledged := r.Position(); acknowledged > 50 {
			t.Fatalf("acknowledged %d of 50 sent", acknowledged)
		}
	})
}
