package secrets

import (
	"errors"
	"slices"

	"a3s.dev/box/agent/launchspec"
	"a3s.dev/box/agent/users"
)

// ErrNotReady is a main process that would start without its secrets.
var ErrNotReady = errors.New("the box has not all of its secrets")

// HandOver gives the secrets to the main process, which has not started and runs as owner: as
// files, and as entries of its environment, which are answered. The store keeps none of them.
// Without secrets it does nothing, and files may be nil.
func (s *Store) HandOver(files *Files, owner users.User) (environment []string, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.state == None {
		return nil, nil
	}
	if s.state != Ready || s.ended {
		return nil, ErrNotReady
	}
	s.files, s.owner = files, owner
	defer s.forget()
	return s.hand(files, owner, func(string) bool { return true })
}

// Share is HandOver of the secrets of these names to one of several processes, each of which has
// files of its own: the store keeps the values for the others, until it is wiped. It waits for all
// secrets, those of other names too. Files may be nil where none of the names is of a file.
func (s *Store) Share(files *Files, owner users.User, names []string) (environment []string, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.state == None {
		return nil, nil
	}
	if s.state != Ready || s.ended {
		return nil, ErrNotReady
	}
	return s.hand(files, owner, func(name string) bool { return slices.Contains(names, name) })
}

// hand is called with the lock.
func (s *Store) hand(files *Files, owner users.User, given func(name string) bool) (environment []string, err error) {
	for _, entry := range s.entries {
		if !given(entry.secret.Name) {
			continue
		}
		target := entry.secret.Target
		if target.Kind == launchspec.TargetEnv {
			environment = append(environment, *target.Variable+"="+string(entry.value))
			continue
		}
		if err := files.write(entry.secret.Name, entry.value, owner); err != nil {
			return nil, err
		}
	}
	return environment, nil
}

// Wipe overwrites the remaining secrets, in the box's files too, when the box has ended. No secret
// is accepted any more.
func (s *Store) Wipe() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ended = true
	if s.timer != nil {
		s.timer.Stop()
	}
	s.forget()
	if s.files == nil {
		return nil
	}
	return s.files.wipe()
}

// forget overwrites the values; the caller holds the lock.
func (s *Store) forget() {
	for index := range s.entries {
		clear(s.entries[index].value)
		s.entries[index].value = nil
	}
}
