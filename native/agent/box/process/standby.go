package process

import (
	"errors"
	"sync"
	"syscall"
	"time"

	"a3s.dev/box/agent/stage"
)

// quiet is how long a process that was just started has the guest for itself before the next stage
// is started.
const quiet = time.Second

// Standby keeps one stage waiting for the next exec: starting a stage takes longer than all that it
// does. A prepared guest has one from the beginning, any other guest from its first exec on.
type Standby struct {
	launcher   *Launcher
	namespaces *Namespaces

	mu sync.Mutex
	// stage is nil while there is none.
	stage *Stage
	// closed: the box ends.
	closed bool
}

// NewStandby makes a standby for the box with these namespaces. It has no stage until Keep or
// Replace is called.
func NewStandby(l *Launcher, namespaces *Namespaces) *Standby {
	return &Standby{launcher: l, namespaces: namespaces}
}

// Take returns the stage that waits, or a new one.
func (s *Standby) Take() (*Stage, error) {
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

func (s *Standby) start() (*Stage, error) {
	streams, err := openStreams(false, true)
	if err != nil {
		return nil, err
	}
	w, err := s.launcher.spawn(s.namespaces, streams, stage.Name)
	if err != nil {
		return nil, errors.Join(err, streams.closeTheirs(), streams.closeOurs())
	}
	if _, err := w.await(); err != nil {
		return nil, errors.Join(err, w.Kill(), w.close())
	}
	return w, nil
}

// close closes the agent's ends.
func (w *Stage) close() error {
	return errors.Join(syscall.Close(w.socket), w.streams.closeOurs())
}

// Replace starts the stage of the next exec once the last process has ended, or has run for a
// while.
func (s *Standby) Replace(last *Handle) {
	timer := time.NewTimer(quiet)
	defer timer.Stop()
	select {
	case <-last.Complete():
	case <-timer.C:
	}
	// The next exec starts a stage of its own then, and reports what goes wrong.
	_ = s.Keep()
}

// Keep starts a stage if none waits.
func (s *Standby) Keep() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed || s.stage != nil {
		return nil
	}
	w, err := s.start()
	s.stage = w
	return err
}

// End ends the stage that waits. No other is started any more.
func (s *Standby) End() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	w := s.stage
	s.stage = nil
	if w == nil {
		return nil
	}
	err := errors.Join(w.Kill(), w.close())
	// Until it is gone it holds the box's namespaces.
	<-w.child.Done()
	return err
}
