package server

import "a3s.dev/box/agent/stream"

// broker carries the next connection of the agent to its secret broker. It is TLS, whose other end
// has to have the key of the launch spec: the host reads and changes nothing of it.
func (s *Server) broker(t stream.Stream, _ []byte, _ string) {
	gone := make(chan struct{})
	t.OnEnd(func() { close(gone) })
	// A guest that fetches the keys of its volumes does so while it takes its launch spec.
	settled, reaching := s.queue.settled(), s.Confidential.Reaching()
	go func() {
		if settled != nil {
			select {
			case <-settled:
			case <-reaching:
			case <-gone:
			}
		}
		conn, err := s.Confidential.BrokerConnection(gone)
		if err != nil {
			writeError(t, err)
			return
		}
		t.OnEnd(func() { _ = conn.Close() })
		t.Begin(200, "application/octet-stream")
		go copyToServer(t, conn)
		copyToClient(conn, t)
	}()
}
