package box

import (
	"errors"
	"sync"
	"syscall"
	"time"

	"a3s.dev/box/agent/stage"
)

// quiet is how long a process that was just started has the guest for itself before the next stage is started.
const quiet = time.Second

// standby keeps one stage waiting for the next exec: starting a stage takes longer than all that it does. A prepared guest has one from the
// beginning, any other guest from its first exec on.
type standby struct {
	launcher   *launcher
	namespaces *Namespaces

	mu sync.Mutex
	// stage is nil while there is none.
	stage *waiting
	// closed: the box ends.
	closed bool
}

func newStandby(l *launcher, namespaces *Namespaces) *standby {
	return &standby{launcher: l, namespaces: namespaces}
}

// take returns the stage that waits, or a new one.
func (s *standby) take() (*waiting, error) {
	s.mu.Lock()
	w := s.stage
	s.stage = nil
	s.mu.Unlock()
	if w == nil {
		return s.start()
	}
	select {
	case <-w.child.Done():
		// The kernel may have ended it when memory was short.
		if err := w.close(); err != nil {
			return nil, err
		}
		return s.start()
	default:
		return w, nil
	}
}

func (s *standby) start() (*waiting, error) {
	streams, err := openStreams(false, true)
	if err != nil {
		return nil, err
	}
	w, err := s.launcher.spawn(s.namespaces, streams, stage.Name)
	if err != nil {
		return nil, errors.Join(err, streams.closeTheirs(), streams.closeOurs())
	}
	if _, err := w.await(); err != nil {
		return nil, errors.Join(err, w.kill(), w.close())
	}
	return w, nil
}

// close closes the agent's ends.
func (w *waiting) close() error {
	return errors.Join(syscall.Close(w.socket), w.streams.closeOurs())
}

// replace starts the stage of the next exec once the last process has ended, or has had its time.
func (s *standby) replace(last *Handle) {
	timer := time.NewTimer(quiet)
	defer timer.Stop()
	select {
	case <-last.Complete():
	case <-timer.C:
	}
	// The next exec starts a stage of its own then, and reports what goes wrong.
	_ = s.keep()
}

// keep starts a stage if none waits.
func (s *standby) keep() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed || s.stage != nil {
		return nil
	}
	w, err := s.start()
	s.stage = w
	return err
}

// end ends the stage that waits, and starts no other.
func (s *standby) end() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	w := s.stage
	s.stage = nil
	if w == nil {
		return nil
	}
	err := errors.Join(w.kill(), w.close())
	// Until it is gone it holds the box's namespaces.
	<-w.child.Done()
	return err
}
