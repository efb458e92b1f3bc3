package server

// freeze freezes the processes of the box, so that a copy of the guest can be made; the agent runs
// on. The box of a copy is frozen too, until the copy has an identity of its own and is thawed.
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
