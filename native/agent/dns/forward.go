package dns

import (
	"encoding/binary"
	"errors"
	"io"
	"net"
	"net/netip"
	"time"

	"a3s.dev/box/agent/linux"
)

const (
	// serverTime bounds the wait for one name server, as in Docker.
	serverTime = 4 * time.Second
	// maxForeign bounds the messages that are read in place of an answer.
	maxForeign = 64
)

var errForeign = errors.New("the name server answers something else")

// Dial connects to a name server, from the network of the box and within some time.
type Dial func(network string, server netip.AddrPort, timeout time.Duration) (net.Conn, error)

// forward asks the name servers one after the other, until one can answer. Without an answer the
// query has failed.
func (s *Server) forward(query []byte, asked header, q question, network string) []byte {
	var refusal []byte
	for _, server := range s.config.Load().servers {
		if s.isClosed() {
			break
		}
		answer, err := s.ask(query, q, network, server)
		if err != nil {
			continue
		}
		binary.BigEndian.PutUint16(answer, asked.id)
		switch binary.BigEndian.Uint16(answer[2:]) & rcodeMask {
		case rcodeServerFailure, rcodeNotImplemented, rcodeRefused:
			// Another one may know it.
			refusal = answer
		default:
			return answer
		}
	}
	if refusal != nil {
		return refusal
	}
	return reply(query, asked, q.end, rcodeServerFailure)
}

// ask asks one name server. The query has an id of its own there: those of the box's programs may
// be the same.
func (s *Server) ask(query []byte, q question, network string, server netip.AddrPort) ([]byte, error) {
	conn, err := s.dial(network, server, s.serverTime)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(s.serverTime)); err != nil {
		return nil, err
	}
	own := append(make([]byte, 0, len(query)), query...)
	if err := linux.Secret(own[:2]); err != nil {
		return nil, err
	}
	if network == "tcp4" {
		if err := writeMessage(conn, own); err != nil {
			return nil, err
		}
		answer, err := readMessage(conn, nil)
		if err == nil && !isAnswer(own, answer, q) {
			err = errForeign
		}
		return answer, err
	}
	if _, err := conn.Write(own); err != nil {
		return nil, err
	}
	buffer := make([]byte, maxUDPBytes+1)
	for range maxForeign {
		// The kernel gives what comes from this server alone: the socket is connected.
		n, err := conn.Read(buffer)
		if err != nil {
			return nil, err
		}
		answer := buffer[:n]
		if !isAnswer(own, answer, q) {
			continue
		}
		if n > maxUDPBytes {
			flags := binary.BigEndian.Uint16(answer[2:])
			return truncate(reply(query, header{flags: flags}, q.end, flags&rcodeMask)), nil
		}
		return answer, nil
	}
	return nil, errForeign
}

// isAnswer says whether a message answers a query. A name server that fails may leave the question
// out.
func isAnswer(query, answer []byte, q question) bool {
	h, ok := readHeader(answer)
	if !ok || h.id != binary.BigEndian.Uint16(query) || h.flags&flagResponse == 0 || h.flags&opcodeMask != 0 {
		return false
	}
	if h.questions == 0 {
		return h.flags&rcodeMask != 0
	}
	return h.questions == 1 && sameQuestion(query, answer, q.end)
}

// readMessage reads one of a stream, into the buffer where it fits.
func readMessage(from io.Reader, buffer []byte) ([]byte, error) {
	var length [2]byte
	if _, err := io.ReadFull(from, length[:]); err != nil {
		return nil, err
	}
	size := int(binary.BigEndian.Uint16(length[:]))
	if size > cap(buffer) {
		buffer = make([]byte, size)
	}
	_, err := io.ReadFull(from, buffer[:size])
	return buffer[:size], err
}

// writeMessage writes one to a stream at once: some name servers read the length and the message
// together.
func writeMessage(to io.Writer, message []byte) error {
	framed := binary.BigEndian.AppendUint16(make([]byte, 0, 2+len(message)), uint16(len(message)))
	_, err := to.Write(append(framed, message...))
	return err
}
