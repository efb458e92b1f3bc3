package secrets

// Refused: a secret will not come, whatever time passes.
const Refused State = "refused"

// Refuse ends the wait where a secret will not come. What has come is overwritten.
func (s *Store) Refuse() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.state != Waiting || s.ended {
		return
	}
	s.forget()
	s.finish(Refused)
}
