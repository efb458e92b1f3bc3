package box

import (
	"errors"
	"syscall"

	"a3s.dev/box/agent/stage"
)

// ForbidCoreDumps sees that no process of the box leaves its memory in a file. It is called before the box takes its spec.
func (b *Box) ForbidCoreDumps() { b.launcher.limits = limitsWithoutCore() }

// Start starts the main p.
func (b *Box) Start() (*Handle, error) {
	h, err := b.claimMain()
	if err != nil {
		return nil, err
	}
	return h, b.begin(h, &b.spec.Process)
}

// begin has the main process run.
func (b *Box) begin(h *Handle, p *Process) error {
	order := b.order(p)
	order.Main = true
	order.Init = b.spec.Init != nil && *b.spec.Init
	w := b.ground.main
	if err := w.narrow(order.Terminal, order.Stdin); err != nil {
		return err
	}
	return b.launch(h, w, order, stage.Place{Network: b.ground.mainNetwork(), Cgroup: -1}, 0)
}

func (b *Box) claimMain() (*Handle, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case b.stopping:
		return nil, ErrStopping
	case b.asleep:
		return nil, ErrAsleep
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

// Exec starts another process in the box. A grouped one has a control group of its own below the box's.
func (b *Box) Exec(id string, p *Process, grouped bool) (*Handle, error) {
	h, err := b.claimExec(id)
	if err != nil {
		return nil, err
	}
	if grouped {
		h.group, err = b.launcher.cgroup.newGroup(id)
	}
	if err == nil {
		err = b.exec(h, b.order(p))
	}
	if h.group != nil {
		err = errors.Join(err, h.group.entered())
	}
	if err == nil {
		return h, nil
	}
	if h.group != nil {
		err = errors.Join(err, h.group.end())
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.handles, id)
	// A box whose main process ends meanwhile takes no process in, for reasons that the kernel words oddly.
	if b.handles[MainID].Report().State != StateRunning {
		return nil, ErrNotRunning
	}
	return nil, err
}

func (b *Box) claimExec(id string) (*Handle, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case b.stopping:
		return nil, ErrStopping
	case b.asleep:
		return nil, ErrAsleep
	case !b.ready:
		return nil, ErrSpecMissing
	case b.handles[id] != nil:
		return nil, ErrIDTaken
	case len(b.handles) >= maxProcesses:
		return nil, ErrTooMany
	case b.handles[MainID].Report().State != StateRunning:
		return nil, ErrNotRunning
	case b.frozen:
		return nil, ErrFrozen
	}
	h := NewHandle(id)
	b.handles[id] = h
	return h, nil
}

// order is what main, exec and terminals have in common: the confinement is the box's.
func (b *Box) order(p *Process) *stage.Order {
	b.mu.Lock()
	limits := limitsWith(b.launcher.limits, b.ulimits)
	b.mu.Unlock()
	order := &stage.Order{
		Args: p.Args, Env: p.Env, Cwd: p.Cwd, User: p.User,
		Terminal: p.Terminal, Stdin: p.Stdin,
		NoNewPrivileges: b.spec.Confinement.NoNewPrivileges,
		Limits:          limits,
	}
	if p.Size != nil {
		order.Rows, order.Columns = uint16(p.Size.Rows), uint16(p.Size.Columns)
	}
	order.Capabilities = capabilitySet(b.spec.Confinement.Capabilities)
	if b.spec.Confinement.Seccomp == SeccompDefault {
		order.Filter = b.filters.of(order.Capabilities)
	}
	return order
}

func (b *Box) exec(h *Handle, order *stage.Order) error {
	w, err := b.standby.take()
	if err != nil {
		return err
	}
	if err := w.narrow(order.Terminal, order.Stdin); err != nil {
		return errors.Join(err, w.abandon())
	}
	kills, err := b.launcher.cgroup.oomKills()
	if err != nil {
		return errors.Join(err, w.abandon())
	}
	place := stage.Place{Network: b.ground.namespaces.Network, Cgroup: -1}
	if h.group != nil {
		place.Cgroup = h.group.procs
	}
	err = b.launch(h, w, order, place, kills)
	go b.standby.replace(h)
	return err
}

// launch gives a stage its order. killsBefore is how many processes of the box had been killed for lack of memory: none before main starts.
func (b *Box) launch(h *Handle, w *waiting, order *stage.Order, place stage.Place, killsBefore uint64) error {
	return b.launcher.run(h, w, order, place, func(status syscall.WaitStatus) bool {
		kills, err := b.launcher.cgroup.oomKills()
		// Docker calls a box OOM-killed when any of its processes was. An exec counts for itself only.
		return err == nil && kills > killsBefore && (order.Main || status.Signaled() && status.Signal() == syscall.SIGKILL)
	})
}
