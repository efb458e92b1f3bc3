package box

import (
	"errors"
	"syscall"

	"a3s.dev/box/agent/box/process"
	"a3s.dev/box/agent/box/spec"
	"a3s.dev/box/agent/linux"
	"a3s.dev/box/agent/stage"
	"a3s.dev/box/agent/users"
)

// ForbidCoreDumps lets no process of the box leave its memory in a file. It is called before the
// box takes its spec.
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
	request, err := b.request(p)
	if err != nil {
		return err
	}
	request.ReportsUser = true
	if b.spec.Pids != nil {
		return b.beginJoined(h, request)
	}
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
	if err := b.expectOwn(); err != nil {
		return nil, err
	}
	switch {
	case b.started:
		return nil, ErrStarted
	case b.frozen:
		return nil, ErrFrozen
	}
	b.started = true
	return b.handles[MainID], nil
}

// ExecOptions are options of an exec that the box itself does not have.
type ExecOptions struct {
	// Grouped: it has a control group of its own below the box's.
	Grouped bool
	// Privileged: it has all capabilities. All else is the box's, as in Docker.
	Privileged bool
}

// Exec starts another process in the box.
func (b *Box) Exec(id string, p *spec.Process, options ExecOptions) (*process.Handle, error) {
	h, err := b.claimExec(id)
	if err != nil {
		return nil, err
	}
	if options.Grouped {
		h.Group, err = b.launcher.Cgroup.NewChild(id)
	}
	var request *stage.ExecRequest
	if err == nil {
		request, err = b.request(p)
	}
	if err == nil && options.Privileged {
		// As in Docker, all that there are to give.
		request.Capabilities, err = linux.Permitted()
	}
	if err == nil {
		err = b.exec(h, request)
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
	// Where the main process has ended meanwhile, the kernel refuses to start a process, with
	// various errors.
	if b.handles[MainID].Report().State != process.StateRunning {
		return nil, process.ErrNotRunning
	}
	return nil, err
}

func (b *Box) claimExec(id string) (*process.Handle, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if err := b.expectOwn(); err != nil {
		return nil, err
	}
	switch {
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

// request makes the exec request for main, execs and terminals, which all have the confinement of
// the box.
func (b *Box) request(p *spec.Process) (*stage.ExecRequest, error) {
	b.mu.Lock()
	limits := process.LimitsWith(b.launcher.Limits, b.ulimits)
	b.mu.Unlock()
	confinement := &b.spec.Confinement
	request := &stage.ExecRequest{
		Args: p.Args, Env: p.Env, Cwd: p.Cwd, User: p.User,
		Terminal: p.Terminal, Stdin: p.Stdin,
		NoNewPrivileges: confinement.NoNewPrivileges,
		Limits:          limits,
	}
	if p.Size != nil {
		request.Rows, request.Columns = uint16(p.Size.Rows), uint16(p.Size.Columns)
	}
	if confinement.Groups != nil {
		request.Groups = *confinement.Groups
	}
	request.GroupsPolicy = groupsPolicy(confinement.GroupsPolicy)
	if confinement.OOMScore != nil {
		request.OOMScore = int16(*confinement.OOMScore)
	}
	request.Capabilities = process.CapabilitySet(confinement.Capabilities)
	var err error
	request.Filter, request.FilterFlags, err = b.filters.For(confinement)
	return request, err
}

func groupsPolicy(name *string) users.GroupsPolicy {
	switch {
	case name == nil:
		return users.AsDocker
	case *name == spec.GroupsStrict:
		return users.Strict
	default:
		return users.Merge
	}
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
	} else {
		if place.Cgroup, err = b.groupOfMain(); err != nil {
			return errors.Join(err, w.Abandon())
		}
		if place.Cgroup >= 0 {
			defer syscall.Close(place.Cgroup)
		}
	}
	err = b.launch(h, w, request, place, kills)
	go b.standby.Replace(h)
	return err
}

// groupOfMain opens the control group that the main process is in; -1 where that is the box's own.
func (b *Box) groupOfMain() (int, error) {
	b.mu.Lock()
	main := b.handles[MainID]
	b.mu.Unlock()
	return b.launcher.Cgroup.OpenGroupOf(main.PidOfAgent())
}

// launch starts a process by a stage. killsBefore is the number of processes of the box that had
// been killed for lack of memory: none before main starts.
func (b *Box) launch(h *process.Handle, w *process.Stage, request *stage.ExecRequest, place stage.Place, killsBefore uint64) error {
	return b.launcher.Run(h, w, request, place, func(status syscall.WaitStatus) bool {
		kills, err := b.launcher.Cgroup.OomKills()
		// Docker calls a box OOM-killed when any of its processes was. An exec counts for itself
		// only.
		return err == nil && kills > killsBefore && (h.ID == MainID || status.Signaled() && status.Signal() == syscall.SIGKILL)
	})
}
