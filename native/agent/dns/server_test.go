package dns

import (
	"bytes"
	"context"
	"encoding/binary"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// nameServer is one that the tests decide about. It answers by UDP and TCP alike.
type nameServer struct {
	address netip.AddrPort
	asked   atomic.Int32
	// answers are what it sends for a query, each as a message of its own.
	answers func(query []byte) [][]byte
}

func newNameServer(t *testing.T, answers func(query []byte) [][]byte) *nameServer {
	t.Helper()
	packets, listener := sockets(t)
	n := &nameServer{netip.MustParseAddrPort(packets.LocalAddr().String()), atomic.Int32{}, answers}
	t.Cleanup(func() { _, _ = packets.Close(), listener.Close() })
	go func() {
		buffer := make([]byte, maxTCPBytes)
		for {
			size, client, err := packets.ReadFrom(buffer)
			if err != nil {
				return
			}
			n.asked.Add(1)
			for _, answer := range n.answers(bytes.Clone(buffer[:size])) {
				_, _ = packets.WriteTo(answer, client)
			}
		}
	}()
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				query, err := readMessage(conn, nil)
				if err != nil {
					return
				}
				n.asked.Add(1)
				for _, answer := range n.answers(query) {
					_ = writeMessage(conn, answer)
				}
			}()
		}
	}()
	return n
}

// sockets listens on one port by UDP and TCP.
func sockets(t *testing.T) (net.PacketConn, net.Listener) {
	t.Helper()
	for range 100 {
		packets, err := net.ListenPacket("udp4", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		listener, err := net.Listen("tcp4", packets.LocalAddr().String())
		if err == nil {
			return packets, listener
		}
		_ = packets.Close()
	}
	t.Fatal("no port is free for both")
	return nil, nil
}

// serving is a server whose name servers listen on other ports than their own.
type serving struct {
	*Server
	address string
}

func start(t *testing.T, wait time.Duration, servers ...*nameServer) serving {
	t.Helper()
	var addresses []netip.Addr
	ports := map[netip.Addr]netip.AddrPort{}
	for index, server := range servers {
		address := netip.AddrFrom4([4]byte{192, 0, 2, byte(index + 1)})
		addresses, ports[address] = append(addresses, address), server.address
	}
	packets, listener := sockets(t)
	dial := func(network string, server netip.AddrPort, timeout time.Duration) (net.Conn, error) {
		if server.Port() != Port {
			t.Errorf("asks %s", server)
		}
		return net.DialTimeout(network, ports[server.Addr()].String(), timeout)
	}
	s := serving{serve(packets, listener, dial, configOf(addresses), wait), packets.LocalAddr().String()}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func configOf(servers []netip.Addr) *Config {
	c := NewConfig(servers)
	c.Add("Database", netip.MustParseAddr("10.1.0.2"))
	c.Add("database.", netip.MustParseAddr("fd00::2"))
	c.Add("four.example", netip.MustParseAddr("10.1.0.4"))
	return c
}

// query asks one question.
func query(id uint16, name string, kind uint16) []byte {
	message := binary.BigEndian.AppendUint16(nil, id)
	message = append(message, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0)
	for label := range strings.SplitSeq(name, ".") {
		message = append(append(message, byte(len(label))), label...)
	}
	message = binary.BigEndian.AppendUint16(append(message, 0), kind)
	return append(message, 0, classInternet)
}

// echo answers with the query itself, without an address, and some bytes behind it.
func echo(query []byte) [][]byte {
	answer := bytes.Clone(query)
	answer[2] |= flagResponse >> 8
	return [][]byte{append(answer, "as it came"...)}
}

func failing(rcode byte) func([]byte) [][]byte {
	return func(query []byte) [][]byte {
		answer := echo(query)[0]
		answer[3] = answer[3]&^rcodeMask | rcode
		return [][]byte{answer}
	}
}

func (s serving) udp(t *testing.T, message []byte) []byte {
	t.Helper()
	conn, err := net.Dial("udp4", s.address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	return exchange(t, conn, message)
}

func exchange(t *testing.T, conn net.Conn, message []byte) []byte {
	t.Helper()
	_ = conn.SetDeadline(time.Now().Add(20 * time.Second))
	if _, err := conn.Write(message); err != nil {
		t.Fatal(err)
	}
	buffer := make([]byte, maxTCPBytes)
	n, err := conn.Read(buffer)
	if err != nil {
		t.Fatal(err)
	}
	return buffer[:n]
}

func (s serving) tcp(t *testing.T, messages ...[]byte) (answers [][]byte) {
	t.Helper()
	conn, err := net.Dial("tcp4", s.address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(20 * time.Second))
	for _, message := range messages {
		if err := writeMessage(conn, message); err != nil {
			t.Fatal(err)
		}
	}
	for range messages {
		answer, err := readMessage(conn, nil)
		if err != nil {
			t.Fatal(err)
		}
		answers = append(answers, answer)
	}
	return answers
}

func rcodeOf(answer []byte) uint16 { return binary.BigEndian.Uint16(answer[2:]) & rcodeMask }

func TestTheResolverOfGoFindsTheNamesInAnySpelling(t *testing.T) {
	upstream := newNameServer(t, failing(3))
	s := start(t, serverTime, upstream)
	for _, network := range []string{"udp", "tcp"} {
		resolver := net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, network, s.address)
		}}
		for name, want := range map[string][]string{
			"database.": {"10.1.0.2", "fd00::2"}, "DataBase.": {"10.1.0.2", "fd00::2"}, "four.Example.": {"10.1.0.4"},
		} {
			found, err := resolver.LookupHost(context.Background(), name)
			slices.Sort(found)
			if err != nil || !slices.Equal(found, want) {
				t.Errorf("%s by %s: got %v, %v", name, network, found, err)
			}
		}
	}
	if upstream.asked.Load() != 0 {
		t.Error("a name server was asked for a name of the box")
	}
}

func TestANameWithoutAddressesOfAKindHasAnEmptyAnswer(t *testing.T) {
	s := start(t, serverTime)
	const typeHTTPS = 65
	for _, kind := range []uint16{typeAAAA, typeHTTPS} {
		got := s.udp(t, query(7, "Four.example", kind))
		want := query(7, "Four.example", kind)
		want[2], want[3] = 0x81, 0x80
		if !bytes.Equal(got, want) {
			t.Errorf("kind %d: got %x, want %x", kind, got, want)
		}
	}
	got := s.udp(t, query(7, "database", typeAny))
	if count := binary.BigEndian.Uint16(got[6:]); count != 2 {
		t.Errorf("any: got %d addresses", count)
	}
}

func TestAllElseIsAskedOfTheNameServersUnchangedButForItsID(t *testing.T) {
	for _, by := range []string{"udp", "tcp"} {
		var ids []uint16
		queries := make(chan []byte, 1)
		upstream := newNameServer(t, func(query []byte) [][]byte {
			queries <- query
			return echo(query)
		})
		s := start(t, serverTime, upstream)
		other := query(5, "four.example", typeA)
		other[len(other)-1] = 3
		dotted := query(5, "four_example", typeA)
		dotted[headerBytes+5] = '.'
		for _, sent := range [][]byte{query(5, "exaMple.org", typeA), query(5, "exaMple.org", typeA), query(5, "example", typeA), other, dotted} {
			// Behind the question are options of the query.
			sent = append(sent, 0, 0, 41, 0xff, 0xff, 0, 0, 0, 0, 0, 0)
			var got []byte
			if by == "udp" {
				got = s.udp(t, sent)
			} else {
				got = s.tcp(t, sent)[0]
			}
			if want := echo(sent)[0]; !bytes.Equal(got, want) {
				t.Errorf("%s: got %x, want %x", by, got, want)
			}
			seen := <-queries
			ids = append(ids, binary.BigEndian.Uint16(seen))
			if !bytes.Equal(seen[2:], sent[2:]) {
				t.Errorf("%s: the name server got %x of %x", by, seen, sent)
			}
		}
		// Five equal ids are no chance.
		slices.Sort(ids)
		if len(slices.Compact(ids)) == 1 {
			t.Errorf("%s: the ids are those of the clients", by)
		}
	}
}

func TestAConnectionHasManyQueriesOneAfterTheOther(t *testing.T) {
	s := start(t, serverTime, newNameServer(t, echo))
	answers := s.tcp(t, query(1, "database", typeA), query(2, "example.org", typeA), query(3, "database", typeA))
	for index, answer := range answers {
		if id := binary.BigEndian.Uint16(answer); id != uint16(index+1) {
			t.Errorf("answer %d is for query %d", index+1, id)
		}
	}
}

func TestMoreAddressesThanFitAreTruncatedByUDPAndNotByTCP(t *testing.T) {
	s := start(t, serverTime)
	c := NewConfig(nil)
	for index := range 250 {
		c.Add("many", netip.AddrFrom4([4]byte{10, 1, 0, byte(index)}))
	}
	s.Set(c)
	short := s.udp(t, query(1, "many", typeA))
	if len(short) > maxPlainBytes || binary.BigEndian.Uint16(short[2:])&flagTruncated == 0 || binary.BigEndian.Uint16(short[6:]) != 30 {
		t.Errorf("by UDP: %d bytes, %x", len(short), short[:headerBytes])
	}
	whole := s.tcp(t, query(1, "many", typeA))[0]
	if binary.BigEndian.Uint16(whole[2:])&flagTruncated != 0 || binary.BigEndian.Uint16(whole[6:]) != 250 {
		t.Errorf("by TCP: %x", whole[:headerBytes])
	}
	first := func() byte { return s.udp(t, query(1, "many", typeA))[len(query(1, "many", typeA))+15] }
	if one, next := first(), first(); one == next {
		t.Error("the same address is always the first")
	}
}

func TestOtherNamesReplaceThoseOfBefore(t *testing.T) {
	s := start(t, serverTime, newNameServer(t, failing(3)))
	s.Set(NewConfig(nil))
	if got := rcodeOf(s.udp(t, query(1, "database", typeA))); got != rcodeServerFailure {
		t.Errorf("without name servers: got code %d", got)
	}
}
