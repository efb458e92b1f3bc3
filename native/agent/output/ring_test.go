package output

import (
	"bytes"
	"encoding/binary"
	"errors"
	"testing"
)

// reader reads from an offset that the ring holds.
func reader(t *testing.T, r *Ring, offset uint64) *Reader {
	t.Helper()
	reader, err := r.NewReader(offset)
	if err != nil {
		t.Fatal(err)
	}
	return reader
}

// readAll reads from an offset to the end, and answers what each stream said.
func readAll(t *testing.T, r *Ring, offset uint64) [4][]byte {
	t.Helper()
	var got [4][]byte
	buffer := make([]byte, 1000)
	from := reader(t, r, offset)
	for {
		stream, n, err := r.read(from, true, offset, buffer)
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
		"an acknowledgement below an earlier one":   {r.Acknowledge(4), ErrOffset},
		"the same acknowledgement again":            {r.Acknowledge(5), nil},
		"an acknowledgement above what was written": {r.Acknowledge(11), ErrOffset},
	} {
		if !errors.Is(c.err, c.want) {
			t.Errorf("%s: got %v, want %v", name, c.err, c.want)
		}
	}
	for offset, want := range map[uint64]bool{4: false, 5: true, 10: true, 11: false} {
		if _, err := r.NewReader(offset); (err == nil) != want || err != nil && !errors.Is(err, ErrOffset) {
			t.Errorf("a reader from %d: %v", offset, err)
		}
	}
}

func TestFramesEndWhenTheirReaderLeaves(t *testing.T) {
	r := New()
	from := reader(t, r, 0)
	ended := make(chan error)
	go func() { ended <- from.WriteFrames(&written{}, 0) }()
	from.Leave()
	if err := <-ended; !errors.Is(err, ErrGone) {
		t.Errorf("got %v", err)
	}
}

// written keeps what was written after the room.
type written struct {
	bytes.Buffer
	room, writes int
	ended        bool
}

func (w *written) Write(data []byte, last bool) error {
	w.Buffer.Write(data[w.room:])
	// What was handed over belongs to the writer.
	clear(data)
	w.writes++
	w.ended = last
	return nil
}

func TestFramesFollowWithoutGap(t *testing.T) {
	r := New()
	r.Write(Stdout, bytes.Repeat([]byte("a"), maxPayloadBytes+1))
	r.Write(Stderr, []byte("b"))
	r.End()
	out := written{room: 9}
	from := reader(t, r, 1)
	if err := from.WriteFrames(&out, 9); err != nil {
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
	if out.Len() != 0 || from.sent.Load() != maxPayloadBytes+2 {
		t.Errorf("%d bytes are left, sent %d", out.Len(), from.sent.Load())
	}
	if out.writes != 2 || !out.ended {
		t.Errorf("%d writes, the end among them: %v", out.writes, out.ended)
	}
}

func acks(offsets ...uint64) []byte {
	var b []byte
	for _, offset := range offsets {
		b = binary.BigEndian.AppendUint64(b, offset)
	}
	return b
}

func TestAcksAreHeldToWhatWasSent(t *testing.T) {
	for name, c := range map[string]struct {
		body []byte
		want error
	}{
		"rising":              {acks(1, 2, 2, 5), nil},
		"above what was sent": {acks(6), ErrOffset},
		"falling":             {acks(3, 2), ErrOffset},
		"half an offset":      {[]byte{0, 0, 0}, ErrOffset},
		"nothing":             {acks(), nil},
		"the largest offset":  {acks(1<<64 - 1), ErrOffset},
	} {
		t.Run(name, func(t *testing.T) {
			r := New()
			r.Write(Stdout, []byte("0123456789"))
			whole := reader(t, r, 5)
			if err := whole.Take(c.body, true); !errors.Is(err, c.want) {
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
		from := reader(t, r, 50)
		for index := range body {
			if err := from.Take(body[index:index+1], index == len(body)-1); err != nil {
				if !errors.Is(err, ErrOffset) {
					t.Fatal(err)
				}
				break
			}
		}
		if _, acknowledged := r.Position(); acknowledged > 50 {
			t.Fatalf("acknowledged %d of 50 sent", acknowledged)
		}
	})
}

func TestWhatIsDiscardedIsReadByNobodyAndHoldsNobodyUp(t *testing.T) {
	r := New()
	r.Write(Stdout, make([]byte, Capacity))
	waited := make(chan struct{})
	go func() {
		r.Write(Stderr, []byte("more"))
		close(waited)
	}()
	r.Discard()
	<-waited
	r.Write(Stdout, make([]byte, 2*Capacity))
	r.End()
	if written, acknowledged := r.Position(); written != 0 || acknowledged != 0 {
		t.Errorf("got %d, %d", written, acknowledged)
	}
	reader, err := r.NewReader(0)
	if err != nil {
		t.Fatal(err)
	}
	if stream, n, err := r.read(reader, true, 0, make([]byte, 10)); stream != end || n != 0 || err != nil {
		t.Errorf("got %d, %d, %v", stream, n, err)
	}
}
