package launch

import (
	"errors"
	"time"

	"a3s.dev/box/agent/box"
	"a3s.dev/box/agent/box/process"
	"a3s.dev/box/agent/secrets"
)

// Start starts the main process. One that has secrets waits for them, and is answered for at once.
func (l *Launch) Start() (*process.Handle, error) {
	born := l.isBorn()
	if born == nil {
		return nil, box.ErrSpecMissing
	}
	if born.Secrets.Status().State == secrets.None {
		if err := born.use(); err != nil {
			return nil, err
		}
		return l.Box.Start()
	}
	h, err := l.Box.Await()
	if err != nil {
		return nil, err
	}
	go l.awaitSecrets(h, born.Secrets, l.fetch(born, h.Complete()))
	go l.wipeAfter(h.Complete(), born)
	return h, nil
}

// awaitSecrets has what fetches some of the secrets, or nil.
func (l *Launch) awaitSecrets(h *process.Handle, store *secrets.Store, f *fetch) {
	select {
	case <-store.Done():
	case <-h.Complete():
		return
	}
	state := store.Status().State
	if state == secrets.Ready {
		l.begin(h, store)
		return
	}
	l.abandon(l.Box, h, reasonOf(f, state))
}

// reasonOf says why a process does not start: its secrets are in another state than Ready.
func reasonOf(f *fetch, state secrets.State) *process.ExitError {
	if f != nil && (!f.counted() || len(f.missing()) > 0) {
		return f.reason(state)
	}
	return &process.ExitError{Code: process.SecretsDeadline, Message: "the secrets did not come in time"}
}

// abandon ends a process that waited, and the guest some time afterwards.
func (l *Launch) abandon(b Box, h *process.Handle, reason *process.ExitError) {
	b.Abandon(h, reason)
	// The host learns of it by the exit, and ends the guest. If it does not, the guest ends itself.
	if l.after != nil {
		l.after(lingers, l.End)
		return
	}
	time.AfterFunc(lingers, l.End)
}

// wipeAfter overwrites the secrets when the main process has ended, which ends everything in the
// box. A main process that was ended while it waited, or could not start, needs no secrets either:
// they are overwritten, and none is accepted any more.
func (l *Launch) wipeAfter(ended <-chan struct{}, born *Born) {
	<-ended
	if err := born.Secrets.Wipe(); err != nil {
		l.Report("a3s-agent: overwrite the secrets: " + err.Error())
	}
	if err := born.leave(); err != nil {
		l.Report("a3s-agent: let go of the volumes: " + err.Error())
	}
}

// begin hands the secrets over to a process that has not started yet.
func (l *Launch) begin(h *process.Handle, store *secrets.Store) {
	owner, err := l.Box.MainUser()
	if err != nil {
		l.Box.Abandon(h, process.ExitErrorOf(err))
		return
	}
	environment, err := store.HandOver(l.files, owner)
	if err != nil {
		l.Box.Abandon(h, process.ExitErrorOf(err))
		return
	}
	if err := l.isBorn().use(); err != nil {
		l.Box.Abandon(h, process.ExitErrorOf(err))
		return
	}
	l.Box.Begin(h, environment)
	if r := l.refreshing(); r != nil {
		go r.run(h.Complete())
	}
}

// Close overwrites the remaining secrets.
func (l *Launch) Close() error {
	born := l.isBorn()
	if born == nil {
		return nil
	}
	err := errors.Join(born.Secrets.Wipe(), born.leave(), l.containers.close())
	if l.files != nil {
		err = errors.Join(err, l.files.Close())
	}
	return err
}
