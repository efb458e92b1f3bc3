package netlink

import (
	"errors"
	"net/netip"
	"syscall"
)

// Of linux/sock_diag.h and linux/inet_diag.h.
const (
	sockDiag          = 4
	sockDiagByFamily  = 20
	sockDestroy       = 21
	diagRequestBytes  = 8
	socketIDBytes     = 48
	stateClosed       = 7
	stateListen       = 10
	allButThoseStates = ^uint32(1<<stateClosed | 1<<stateListen)
)

// maxRounds bounds how often connections that came up meanwhile are looked for.
const maxRounds = 16

var errPersists = errors.New("connections keep coming up")

// OpenDiag opens a connection to what knows of sockets. It belongs to the network namespace of the
// thread that opened it.
func OpenDiag() (*Connection, error) { return openFamily(sockDiag) }

// Disconnect ends every TCP connection of the namespace that leads out of it: processes that wait
// for one see the reset at once. Listening sockets stay, and so do connections within the
// namespace.
func (c *Connection) Disconnect(own [4]byte) error {
	for range maxRounds {
		ended := 0
		for _, family := range []byte{syscall.AF_INET, syscall.AF_INET6} {
			ids, err := c.connections(family)
			if err != nil {
				return err
			}
			for _, id := range ids {
				if id.isLocal(family, own) {
					continue
				}
				ended++
				if err := c.do(newMessage(sockDestroy, ask, diagRequest(family, allButThoseStates, id))); err != nil && !errors.Is(err, syscall.ENOENT) {
					return err
				}
			}
		}
		if ended == 0 {
			return nil
		}
	}
	return errPersists
}

// socketID is struct inet_diag_sockid: ports, source, destination, interface and cookie.
type socketID [socketIDBytes]byte

// isLocal says whether the other end is in the namespace too.
func (id socketID) isLocal(family byte, own [4]byte) bool {
	address := netip.AddrFrom16([16]byte(id[20:36])).Unmap()
	if family == syscall.AF_INET {
		address = netip.AddrFrom4([4]byte(id[20:24]))
	}
	return address.IsLoopback() || address == netip.AddrFrom4(own)
}

// diagRequest is struct inet_diag_req_v2.
func diagRequest(family byte, states uint32, id socketID) []byte {
	b := make([]byte, 0, diagRequestBytes+socketIDBytes)
	b = append(b, family, syscall.IPPROTO_TCP, 0, 0)
	b = native.AppendUint32(b, states)
	return append(b, id[:]...)
}

// connections lists the sockets that are neither closed nor listening.
func (c *Connection) connections(family byte) ([]socketID, error) {
	const dump = syscall.NLM_F_REQUEST | syscall.NLM_F_DUMP
	if err := c.send(newMessage(sockDiagByFamily, dump, diagRequest(family, allButThoseStates, socketID{}))); err != nil {
		return nil, err
	}
	var ids []socketID
	buffer := make([]byte, bufferBytes)
	for {
		n, err := c.receive(buffer)
		if err != nil {
			return nil, err
		}
		done, err := each(buffer[:n], c.sequence, func(body []byte) error {
			// struct inet_diag_msg begins with four bytes of state.
			if len(body) < 4+socketIDBytes {
				return errAnswer
			}
			ids = append(ids, socketID(body[4:4+socketIDBytes]))
			return nil
		})
		if done || err != nil {
			return ids, err
		}
	}
}
