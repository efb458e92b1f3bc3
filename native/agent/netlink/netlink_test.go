package netlink

import (
	"encoding/hex"
	"errors"
	"runtime"
	"syscall"
	"testing"

	"a3s.dev/box/agent/guesttest"
	"a3s.dev/box/agent/linux"
)

func TestMessagesAreEncodedAsTheKernelReadsThem(t *testing.T) {
	for name, c := range map[string]struct {
		message *message
		want    string
	}{
		"a move": {
			newMessage(syscall.RTM_NEWLINK, ask, link(2, 0, 0)).number(iflaNetNsFD, 7).text(iflaName, "eth0"),
			"34000000" + "1000" + "0500" + "09000000" + "00000000" + // length, RTM_NEWLINK, flags, sequence, port
				"00000000" + "02000000" + "00000000" + "00000000" + // family, index, flags, change
				"0800" + "1c00" + "07000000" + // IFLA_NET_NS_FD
				"0900" + "0300" + "6574683000" + "000000", // IFLA_IFNAME, padded
		},
		"an unreachable route": {
			newMessage(syscall.RTM_NEWROUTE, create, route(16, routeUnreachable)).attribute(rtaDestination, []byte{169, 254, 0, 0}),
			"24000000" + "1800" + "0506" + "09000000" + "00000000" +
				"02100000" + "fe030007" + "00000000" + // AF_INET /16, main, boot, universe, unreachable
				"0800" + "0100" + "a9fe0000",
		},
	} {
		t.Run(name, func(t *testing.T) {
			if got := hex.EncodeToString(c.message.encode(9)); got != c.want {
				t.Errorf("got  %s\nwant %s", got, c.want)
			}
		})
	}
}

func TestAnAnswerOfNetlinkIsDecidedByItsMessages(t *testing.T) {
	errorMessage := func(sequence uint32, number int32) []byte {
		m := newMessage(syscall.NLMSG_ERROR, 0, native.AppendUint32(nil, uint32(number)))
		return m.encode(sequence)
	}
	for name, c := range map[string]struct {
		datagram []byte
		found    bool
		err      error
	}{
		"success":                      {errorMessage(3, 0), true, nil},
		"failure":                      {errorMessage(3, -int32(syscall.EEXIST)), true, syscall.EEXIST},
		"an answer to another request": {errorMessage(2, 0), false, nil},
		"our answer behind that to another request": {append(errorMessage(2, -1), errorMessage(3, 0)...), true, nil},
		"cut short":                     {errorMessage(3, 0)[:18], false, errAnswer},
		"nothing":                       {nil, false, nil},
		"a length below its own header": {[]byte{4, 0, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0, 0, 0, 0, 0}, false, errAnswer},
	} {
		t.Run(name, func(t *testing.T) {
			_, found, err := answer(c.datagram, 3)
			if found != c.found || !errors.Is(err, c.err) {
				t.Errorf("got %v, %v", found, err)
			}
		})
	}
}

// In a network namespace of its own the kernel itself is the judge.
func TestTheKernelTakesTheMessages(t *testing.T) {
	guesttest.NeedRoot(t)
	// Never unlocked: the thread ends with the test.
	runtime.LockOSThread()
	if err := linux.Unshare(syscall.CLONE_NEWNET); err != nil {
		t.Fatal(err)
	}
	c, err := Open()
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	index, err := c.Index("lo")
	if err != nil || index != 1 {
		t.Fatalf("lo is %d, %v", index, err)
	}
	if _, err := c.Index("eth0"); !errors.Is(err, syscall.ENODEV) {
		t.Errorf("eth0: got %v", err)
	}
	for name, err := range map[string]error{
		"up":          c.Up(index, 1400),
		"address":     c.AddAddress(index, [4]byte{10, 0, 2, 15}, 24),
		"unreachable": c.AddUnreachable([4]byte{169, 254, 0, 0}, 16),
	} {
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := c.AddAddress(index, [4]byte{10, 89, 0, 2}, 16); err != nil {
		t.Errorf("another address: %v", err)
	}
	if err := c.RemoveAddress(index, [4]byte{10, 89, 0, 2}, 16); err != nil {
		t.Errorf("without it: %v", err)
	}
	if err := c.RemoveAddress(index, [4]byte{10, 89, 0, 2}, 16); !errors.Is(err, syscall.EADDRNOTAVAIL) {
		t.Errorf("without it again: got %v", err)
	}
	if err := c.RemoveDefaultRoute(); !errors.Is(err, syscall.ESRCH) {
		t.Errorf("no way to everything else: got %v", err)
	}
	if err := c.ReplaceDefaultRoute(index, [4]byte{10, 0, 2, 2}); err != nil {
		t.Errorf("a way to everything else: %v", err)
	}
	if err := c.RemoveDefaultRoute(); err != nil {
		t.Errorf("without it: %v", err)
	}
	socket, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_DGRAM, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer syscall.Close(socket)
	err = syscall.Connect(socket, &syscall.SockaddrInet4{Port: 80, Addr: [4]byte{169, 254, 169, 254}})
	if !errors.Is(err, syscall.EHOSTUNREACH) {
		t.Errorf("the metadata address: got %v, want EHOSTUNREACH", err)
	}
}

func TestADumpEndsWithItsLastMessage(t *testing.T) {
	message := func(kind uint16, sequence uint32, body []byte) []byte {
		return newMessage(kind, 0, body).encode(sequence)
	}
	one, two := message(sockDiagByFamily, 3, []byte{1, 0, 0, 0}), message(sockDiagByFamily, 3, []byte{2, 0, 0, 0})
	for name, c := range map[string]struct {
		datagram []byte
		bodies   int
		done     bool
		err      error
	}{
		"more to come":                 {append(one[:len(one):len(one)], two...), 2, false, nil},
		"the end":                      {append(one[:len(one):len(one)], message(syscall.NLMSG_DONE, 3, make([]byte, 4))...), 1, true, nil},
		"an answer to another request": {message(sockDiagByFamily, 2, make([]byte, 4)), 0, false, nil},
		"a failure":                    {message(syscall.NLMSG_ERROR, 3, native.AppendUint32(nil, ^uint32(syscall.ENOENT)+1)), 0, true, syscall.ENOENT},
		"cut short":                    {one[:17], 0, false, errAnswer},
	} {
		t.Run(name, func(t *testing.T) {
			bodies := 0
			done, err := each(c.datagram, 3, func([]byte) error { bodies++; return nil })
			if bodies != c.bodies || done != c.done || !errors.Is(err, c.err) {
				t.Errorf("got %d, %v, %v", bodies, done, err)
			}
		})
	}
}

func TestConnectionsWithinTheBoxAreRecognised(t *testing.T) {
	own := [4]byte{10, 0, 2, 15}
	id := func(destination ...byte) (id socketID) {
		copy(id[20:], destination)
		return id
	}
	mapped := func(address ...byte) []byte {
		return append([]byte{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 255, 255}, address...)
	}
	for name, c := range map[string]struct {
		id     socketID
		family byte
		want   bool
	}{
		"loopback":          {id(127, 0, 0, 5), syscall.AF_INET, true},
		"its own address":   {id(10, 0, 2, 15), syscall.AF_INET, true},
		"another":           {id(10, 0, 2, 2), syscall.AF_INET, false},
		"mapped loopback":   {id(mapped(127, 0, 0, 1)...), syscall.AF_INET6, true},
		"mapped another":    {id(mapped(1, 1, 1, 1)...), syscall.AF_INET6, false},
		"IPv6 loopback":     {id(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1), syscall.AF_INET6, true},
		"IPv6 like an IPv4": {id(127, 0, 0, 1), syscall.AF_INET6, false},
	} {
		if got := c.id.isLocal(c.family, own); got != c.want {
			t.Errorf("%s: got %v", name, got)
		}
	}
}
