package server

import (
	"net"

	"a3s.dev/box/agent/box"
	"a3s.dev/box/agent/stream"
)

// ratlsBuffer is the number of bytes of a connection that are copied at once.
const ratlsBuffer = 32 << 10

// ratls copies the bytes of a connection to and from the guest's RA-TLS server. The host cannot
// read what TLS protects.
func (s *Server) ratls(t stream.Stream, _ []byte, _ string) {
	if s.Confidential.Spec() == nil {
		writeError(t, box.ErrSpecMissing)
		return
	}
	// Unlike a stream, a pipe has the deadlines by which the server bounds its clients.
	ours, theirs := net.Pipe()
	t.OnEnd(func() { _ = ours.Close() })
	t.Begin(200, "application/octet-stream")
	go func() {
		// The client sees the end of the connection.
		_ = s.Confidential.ServeRATLS(theirs)
		_ = theirs.Close()
	}()
	go copyToServer(t, ours)
	go copyToClient(ours, t)
}

func copyToServer(from stream.Stream, to net.Conn) {
	buffer := make([]byte, ratlsBuffer)
	for {
		n, err := from.Read(buffer)
		if err == nil {
			_, err = to.Write(buffer[:n])
		}
		if err != nil {
			// Both directions end together: TLS has no use for half a connection.
			_ = to.Close()
			return
		}
	}
}

func copyToClient(from net.Conn, to stream.Stream) {
	buffer := make([]byte, stream.Room+ratlsBuffer)
	for {
		n, err := from.Read(buffer[stream.Room:])
		if to.Write(buffer[:stream.Room+n], err != nil) != nil || err != nil {
			return
		}
	}
}
