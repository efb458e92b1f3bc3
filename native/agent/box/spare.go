package box

import (
	"errors"
	"sync"
	"syscall"
	"time"

	"a3s.dev/box/agent/stage"
)

// quiet is how long a process that was just started has the machine for itself before the next one's stage is started.
const quiet = time.Second

// spare is a stage that waits for the next exec: starting one takes longer than all that it does. A prepared guest has one from the
// beginning, any other one from its first exec on.
type spare struct {
	mu sync.Mutex
	// stage is nil while there is none.
	stage *waiting
	// closed: the box ends.
	closed bool
}

// takeSpare answers the stage that waits, or a new one.
func (b *Box) takeSpare() (*waiting, error) {
	b.spare.mu.Lock()
	w := b.spare.stage
	b.spare.stage = nil
	b.spare.mu.Unlock()
	if w == nil {
		return b.newSpare()
	}
	select {
	case <-w.child.Done():
		// The kernel may have ended it when memory was short.
		if err := w.close(); err != nil {
			return nil, err
		}
		return b.newSpare()
	default:
		return w, nil
	}
}

func (b *Box) newSpare() (*waiting, error) {
	streams, err := openStreams(false, true)
	if err != nil {
		return nil, err
	}
	w, err := b.launcher.spawn(&b.ground.namespaces, streams, stage.Name)
	if err != nil {
		return nil, errors.Join(err, streams.closeTheirs(), streams.closeOurs())
	}
	if _, err := w.await(); err != nil {
		return nil, errors.Join(err, w.kill(), w.close())
	}
	return w, nil
}

// close lets go of the agent's ends.
func (w *waiting) close() error {
	return errors.Join(syscall.Close(w.socket), w.streams.closeOurs())
}

// replaceSpare starts the stage of the next exec once the one that was started last is done, or has had its time.
func (b *Box) replaceSpare(last *Handle) {
	timer := time.NewTimer(quiet)
	defer timer.Stop()
	select {
	case <-last.Complete():
	case <-timer.C:
	}
	// The next exec tells of what goes wrong here: it then starts its own.
	_ = b.keepSpare()
}

// keepSpare has a stage wait, if none does.
func (b *Box) keepSpare() error {
	b.spare.mu.Lock()
	defer b.spare.mu.Unlock()
	if b.spare.closed || b.spare.stage != nil {
		return nil
	}
	w, err := b.newSpare()
	b.spare.stage = w
	return err
}

// end lets no stage wait any more.
func (s *spare) end() error {
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
