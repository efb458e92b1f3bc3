package server

import "a3s.dev/box/agent/stream"

// broker carries the next connection of the agent to its secret broker. It is TLS, whose other end
// has to have the key of the launch spec: the host reads and changes nothing of it.
func (s *Server) broker(t stream.Stream, _ []byte, _ string) {
	gone := make(chan struct{})
	t.OnEnd(func() { close(gone) })
	s.queue.after("", func() {
		go func() {
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
	})
}
