package box

import (
	"errors"
	"syscall"

	"a3s.dev/box/agent/box/process"
	"a3s.dev/box/agent/linux"
	"a3s.dev/box/agent/stage"
	"a3s.dev/box/agent/users"
)

// Await makes the main process wait. Begin starts it; Abandon and signals end it.
func (b *Box) Await() (*process.Handle, error) {
	h, err := b.claimMain()
	if err != nil {
		return nil, err
	}
	h.Wait()
	return h, nil
}

// Begin starts the main process that waits, with more entries in its environment. Where that fails,
// the process has exited with the reason. It does nothing to a process that was ended meanwhile.
func (b *Box) Begin(h *process.Handle, environment []string) {
	if !h.StopWaiting() {
		return
	}
	b.mu.Lock()
	stopping := b.stopping
	b.mu.Unlock()
	err := ErrStopping
	if !stopping {
		process := b.spec.Process
		process.Env = append(append([]string{}, process.Env...), environment...)
		err = b.begin(h, &process)
	}
	if err != nil {
		h.Fail(process.ExitErrorOf(err))
	}
}

// Abandon ends a main process that waits, and does nothing to any other.
func (b *Box) Abandon(h *process.Handle, reason *process.ExitError) {
	if h.StopWaiting() {
		h.Fail(reason)
	}
}

// MainUser returns the user of the main process, by the box's own accounts.
func (b *Box) MainUser() (users.User, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.ready {
		return users.User{}, ErrSpecMissing
	}
	var accounts [2][]byte
	for index, path := range []string{"/etc/passwd", "/etc/group"} {
		content, err := linux.ReadFile(b.sandbox.Root.FD, path, linux.InRoot|linux.NoMagicLinks, users.MaxFile)
		if err != nil && !errors.Is(err, syscall.ENOENT) && !errors.Is(err, syscall.ENOTDIR) {
			return users.User{}, &stage.Refusal{Code: stage.UserNotFound, Message: err.Error()}
		}
		accounts[index] = content
	}
	user, err := users.Resolve(b.spec.Process.User, groupsPolicy(b.spec.Confinement.GroupsPolicy), accounts[0], accounts[1])
	var missing *users.NotFound
	if errors.As(err, &missing) {
		return user, &stage.Refusal{Code: stage.UserNotFound, Message: missing.Error()}
	}
	return user, err
}
