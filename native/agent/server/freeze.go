package server

// freeze stops the box in time, so that a copy can be made of it; the guest itself goes on. A copy is frozen too, until it has an identity
// of its own and is thawed.
func (s *Server) freeze(body []byte) (reply, error) {
	if len(body) > 0 {
		return reply{}, errBody
	}
	return nothing, s.Box.Freeze()
}

func (s *Server) thaw(body []byte) (reply, error) {
	if len(body) > 0 {
		return reply{}, errBody
	}
	return nothing, s.Box.Thaw()
}
