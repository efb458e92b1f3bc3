package dns

import (
	"bytes"
	"encoding/binary"
	"net"
	"net/netip"
	"testing"
	"time"
)

func TestTheNextNameServerIsAskedWhereOneCannotAnswer(t *testing.T) {
	silent := func([]byte) [][]byte { return nil }
	garbage := func([]byte) [][]byte { return [][]byte{{}, {1}, bytes.Repeat([]byte{0xff}, 5000)} }
	gone := newNameServer(t, silent)
	// A port that nobody listens on.
	gone.address = netip.AddrPortFrom(gone.address.Addr(), 1)
	for name, first := range map[string]*nameServer{
		"silent": newNameServer(t, silent), "gone": gone, "garbage": newNameServer(t, garbage),
		"failing": newNameServer(t, failing(rcodeServerFailure)), "refusing": newNameServer(t, failing(rcodeRefused)),
	} {
		s := start(t, 300*time.Millisecond, first, newNameServer(t, echo))
		sent := query(9, "example.org", typeA)
		for by, got := range map[string][]byte{"udp": s.udp(t, sent), "tcp": s.tcp(t, sent)[0]} {
			if !bytes.Equal(got, echo(sent)[0]) {
				t.Errorf("%s by %s: got %x", name, by, got)
			}
		}
	}
}

func TestWithoutAnAnswerTheQueryFails(t *testing.T) {
	silent := newNameServer(t, func([]byte) [][]byte { return nil })
	refusing := newNameServer(t, failing(rcodeRefused))
	for _, c := range []struct {
		servers []*nameServer
		want    uint16
	}{{[]*nameServer{silent}, rcodeServerFailure}, {[]*nameServer{refusing, silent}, rcodeRefused}} {
		s := start(t, 300*time.Millisecond, c.servers...)
		got := s.udp(t, query(9, "example.org", typeA))
		if binary.BigEndian.Uint16(got) != 9 || rcodeOf(got) != c.want {
			t.Errorf("got %x", got)
		}
	}
}

// An answer has to have the id, the question and the mark of one.
func TestWhatDoesNotAnswerTheQueryIsLeftOut(t *testing.T) {
	forged := func(query []byte) [][]byte {
		id, name, kind, mark := echo(query)[0], echo(query)[0], echo(query)[0], bytes.Clone(query)
		id[0] ^= 1
		name[headerBytes+1] ^= 1
		kind[len(query)-3] ^= 0x20
		return append([][]byte{id, name, kind, mark, echo(query)[0][:headerBytes+3]}, echo(query)...)
	}
	s := start(t, serverTime, newNameServer(t, forged))
	sent := query(9, "Example.org", typeA)
	if got := s.udp(t, sent); !bytes.Equal(got, echo(sent)[0]) {
		t.Errorf("got %x", got)
	}
	endless := newNameServer(t, func(query []byte) (answers [][]byte) {
		for range 2 * maxForeign {
			answers = append(answers, query)
		}
		return answers
	})
	s = start(t, serverTime, endless, newNameServer(t, echo))
	if got := s.udp(t, sent); !bytes.Equal(got, echo(sent)[0]) {
		t.Errorf("after many: got %x", got)
	}
}

func TestAnAnswerMayHaveAnotherCaseOrNoQuestionWhereItFails(t *testing.T) {
	lowered := newNameServer(t, func(asked []byte) [][]byte {
		return [][]byte{append(echo(asked)[0][:headerBytes], query(0, "example", typeA)[headerBytes:]...)}
	})
	s := start(t, serverTime, lowered)
	if got := s.udp(t, query(9, "EXAMPLE", typeA)); rcodeOf(got) != 0 {
		t.Errorf("got %x", got)
	}
	bare := newNameServer(t, func(query []byte) [][]byte {
		return [][]byte{append(bytes.Clone(query[:2]), 0x80, 1, 0, 0, 0, 0, 0, 0, 0, 0)}
	})
	s = start(t, serverTime, bare)
	if got := s.udp(t, query(9, "example", typeA)); rcodeOf(got) != rcodeFormatError {
		t.Errorf("got %x", got)
	}
}

func TestAnAnswerThatIsTooLongForUDPHasTheClientUseTCP(t *testing.T) {
	s := start(t, serverTime, newNameServer(t, func(query []byte) [][]byte {
		return [][]byte{append(echo(query)[0], make([]byte, 2*maxUDPBytes)...)}
	}))
	sent := query(9, "example.org", typeA)
	got := s.udp(t, sent)
	if len(got) != len(sent) || binary.BigEndian.Uint16(got) != 9 || binary.BigEndian.Uint16(got[2:])&flagTruncated == 0 {
		t.Errorf("by UDP: got %x", got)
	}
	if got := s.tcp(t, sent)[0]; len(got) < 2*maxUDPBytes {
		t.Errorf("by TCP: got %d bytes", len(got))
	}
}

func TestWhatIsNoQuestionIsRefusedWithoutANameServer(t *testing.T) {
	upstream := newNameServer(t, echo)
	s := start(t, serverTime, upstream)
	update, two, none, pointer := query(9, "a", typeA), query(9, "a", typeA), query(9, "a", typeA)[:headerBytes], query(9, "a", typeA)
	update[2] |= 5 << 3
	two[5], none[5] = 2, 0
	pointer[headerBytes] = 0xc0
	long := query(9, string(bytes.Repeat([]byte("abcdefghi."), 25))+"abcde", typeA)
	for name, c := range map[string]struct {
		sent []byte
		want uint16
	}{
		"an update": {update, rcodeNotImplemented}, "two questions": {two, rcodeFormatError}, "no question": {none, rcodeFormatError},
		"a pointer": {pointer, rcodeFormatError}, "a cut question": {query(9, "abc", typeA)[:headerBytes+6], rcodeFormatError},
		"a long name": {long, rcodeFormatError},
	} {
		for by, got := range map[string][]byte{"udp": s.udp(t, c.sent), "tcp": s.tcp(t, c.sent)[0]} {
			if len(got) != headerBytes || binary.BigEndian.Uint16(got) != 9 || rcodeOf(got) != c.want {
				t.Errorf("%s by %s: got %x", name, by, got)
			}
		}
	}
	// Nothing of this has an answer, and none of it ends the server.
	conn, err := net.Dial("udp4", s.address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	response := query(9, "a", typeA)
	response[2] |= flagResponse >> 8
	for _, sent := range [][]byte{{}, {1}, response, make([]byte, maxUDPBytes+1)} {
		_, _ = conn.Write(sent)
	}
	if got := exchange(t, conn, query(4, "database", typeA)); binary.BigEndian.Uint16(got) != 4 {
		t.Errorf("got %x", got)
	}
	if upstream.asked.Load() != 0 {
		t.Error("a name server was asked")
	}
}

func TestQueriesAndConnectionsAreBounded(t *testing.T) {
	hold := make(chan struct{})
	s := start(t, time.Minute, newNameServer(t, func(query []byte) [][]byte {
		<-hold
		return echo(query)
	}))
	conn, err := net.Dial("udp4", s.address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	for id := range maxQueries + 1 {
		if _, err := conn.Write(query(uint16(id), "example.org", typeA)); err != nil {
			t.Fatal(err)
		}
		// The socket of a client has no place for all at once.
		for range 1000 {
			if len(s.queries) == min(id+1, maxQueries) {
				break
			}
			time.Sleep(time.Millisecond)
		}
	}
	// Names of the box are answered meanwhile.
	answer := exchange(t, conn, query(0xffff, "database", typeA))
	if id := binary.BigEndian.Uint16(answer); id != maxQueries || rcodeOf(answer) != rcodeRefused {
		t.Errorf("got %x", answer)
	}
	if answer = exchange(t, conn, nil); binary.BigEndian.Uint16(answer) != 0xffff {
		t.Errorf("got %x", answer)
	}
	var clients []net.Conn
	for range maxConnections {
		client, err := net.Dial("tcp4", s.address)
		if err != nil {
			t.Fatal(err)
		}
		defer client.Close()
		clients = append(clients, client)
		_ = writeMessage(client, query(1, "database", typeA))
		if _, err := readMessage(client, nil); err != nil {
			t.Fatal(err)
		}
	}
	more, err := net.Dial("tcp4", s.address)
	if err != nil {
		t.Fatal(err)
	}
	defer more.Close()
	_ = more.SetDeadline(time.Now().Add(20 * time.Second))
	if n, err := more.Read(make([]byte, 1)); err == nil {
		t.Errorf("one more connection got %d bytes", n)
	}
	// The end of the server ends its connections.
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	_ = clients[0].SetDeadline(time.Now().Add(20 * time.Second))
	if _, err := clients[0].Read(make([]byte, 1)); err == nil {
		t.Error("a connection goes on")
	}
	close(hold)
}

// FuzzQuery: no query and no answer to it ends the server, and what it makes of them is
// well-formed.
func FuzzQuery(f *testing.F) {
	f.Add(query(1, "database", typeA), echo(query(1, "example.org", typeA))[0])
	f.Add(query(1, "four.example", typeAny), []byte{0, 1, 0x80, 2, 0, 0})
	f.Fuzz(func(t *testing.T, message, other []byte) {
		s := &Server{}
		s.config.Store(configOf(nil))
		for _, limit := range []int{maxPlainBytes, maxTCPBytes} {
			answer, q, asked, known := s.answer(message, limit)
			if !known {
				if q.end > len(message) || q.end < headerBytes+1+kindAndClassBytes || len(q.name) > maxNameBytes {
					t.Fatalf("%x: got %+v", message, q)
				}
				if isAnswer(message, other, q) && !sameQuestion(message, other, q.end) && rcodeOf(other) == 0 {
					t.Fatalf("%x is taken for the answer to %x", other, message)
				}
				answer = reply(message, asked, q.end, rcodeServerFailure)
			}
			if answer == nil {
				continue
			}
			if h, ok := readHeader(answer); !ok || h.id != asked.id || h.flags&flagResponse == 0 || len(answer) > limit {
				t.Fatalf("%x: got %x", message, answer)
			}
			if own, ok := readQuestion(answer); answer[5] == 1 && (!ok || own.name != q.name || own.kind != q.kind) {
				t.Fatalf("%x: got %x", message, answer)
			}
		}
	})
}
