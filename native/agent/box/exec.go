package box

import (
	"errors"
	"syscall"

	"a3s.dev/box/agent/box/process"
	"a3s.dev/box/agent/box/spec"
	"a3s.dev/box/agent/stage"
)

// ForbidCoreDumps lets no process of the box leave its memory in a file. It is called before the box takes its spec.
func (b *Box) ForbidCoreDumps() { b.launcher.Limits = process.LimitsWithoutCore() }

// Start starts the main process.
func (b *Box) Start() (*process.Handle, error) {
	h, err := b.claimMain()
	if err != nil {
		return nil, err
	}
	return h, b.begin(h, &b.spec.Process)
}

// begin starts the main process by the stage that waits for it.
func (b *Box) begin(h *process.Handle, p *spec.Process) error {
	request := b.request(p)
	request.Main = true
	request.Init = b.spec.Init != nil && *b.spec.Init
	w := b.sandbox.Main
	if err := w.Narrow(request.Terminal, request.Stdin); err != nil {
		return err
	}
	return b.launch(h, w, request, stage.Place{Network: b.sandbox.MainNetwork(), Cgroup: -1}, 0)
}

func (b *Box) claimMain() (*process.Handle, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case b.stopping:
		return nil, ErrStopping
	case b.paused:
		return nil, ErrPaused
	case !b.ready:
		return nil, ErrSpecMissing
	case b.started:
		return nil, ErrStarted
	case b.frozen:
		return nil, ErrFrozen
	}
	b.started = true
	return b.handles[MainID], nil
}

// Exec starts another process in the box. A grouped process has a control group of its own below the box's.
func (b *Box) Exec(id string, p *spec.Process, grouped bool) (*process.Handle, error) {
	h, err := b.claimExec(id)
	if err != nil {
		return nil, err
	}
	if grouped {
		h.Group, err = b.launcher.Cgroup.NewChild(id)
	}
	if err == nil {
		err = b.exec(h, b.request(p))
	}
	if h.Group != nil {
		err = errors.Join(err, h.Group.Entered())
	}
	if err == nil {
		return h, nil
	}
	if h.Group != nil {
		err = errors.Join(err, h.Group.End())
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.handles, id)
	// Where the main process has ended meanwhile, the kernel refuses to start a process, with various errors.
	if b.handles[MainID].Report().State != process.StateRunning {
		return nil, process.ErrNotRunning
	}
	return nil, err
}

func (b *Box) claimExec(id string) (*process.Handle, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case b.stopping:
		return nil, ErrStopping
	case b.paused:
		return nil, ErrPaused
	case !b.ready:
		return nil, ErrSpecMissing
	case b.handles[id] != nil:
		return nil, ErrIDTaken
	case len(b.handles) >= maxProcesses:
		return nil, ErrTooMany
	case b.handles[MainID].Report().State != process.StateRunning:
		return nil, process.ErrNotRunning
	case b.frozen:
		return nil, ErrFrozen
	}
	h := process.New(id)
	b.handles[id] = h
	return h, nil
}

// request makes the exec request for main, execs and terminals, which all have the confinement of the box.
func (b *Box) request(p *spec.Process) *stage.ExecRequest {
	b.mu.Lock()
	limits := process.LimitsWith(b.launcher.Limits, b.ulimits)
	b.mu.Unlock()
	request := &stage.ExecRequest{
		Args: p.Args, Env: p.Env, Cwd: p.Cwd, User: p.User,
		Terminal: p.Terminal, Stdin: p.Stdin,
		NoNewPrivileges: b.spec.Confinement.NoNewPrivileges,
		Limits:          limits,
	}
	if p.Size != nil {
		request.Rows, request.Columns = uint16(p.Size.Rows), uint16(p.Size.Columns)
	}
	request.Capabilities = process.CapabilitySet(b.spec.Confinement.Capabilities)
	if b.spec.Confinement.Seccomp == spec.SeccompDefault {
		request.Filter = b.filters.Of(request.Capabilities)
	}
	return request
}

func (b *Box) exec(h *process.Handle, request *stage.ExecRequest) error {
	w, err := b.standby.Take()
	if err != nil {
		return err
	}
	if err := w.Narrow(request.Terminal, request.Stdin); err != nil {
		return errors.Join(err, w.Abandon())
	}
	kills, err := b.launcher.Cgroup.OomKills()
	if err != nil {
		return errors.Join(err, w.Abandon())
	}
	place := stage.Place{Network: b.sandbox.Namespaces.Network, Cgroup: -1}
	if h.Group != nil {
		place.Cgroup = h.Group.Procs
	}
	err = b.launch(h, w, request, place, kills)
	go b.standby.Replace(h)
	return err
}

// launch starts a process by a stage. killsBefore is the number of processes of the box that had been killed for lack of memory: none before
// main starts.
func (b *Box) launch(h *process.Handle, w *process.Stage, request *stage.ExecRequest, place stage.Place, killsBefore uint64) error {
	return b.launcher.Run(h, w, request, place, func(status syscall.WaitStatus) bool {
		kills, err := b.launcher.Cgroup.OomKills()
		// Docker calls a box OOM-killed when any of its processes was. An exec counts for itself only.
		return err == nil && kills > killsBefore && (request.Main || status.Signaled() && status.Signal() == syscall.SIGKILL)
	})
}
