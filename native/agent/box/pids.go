package box

import (
	"errors"
	"syscall"

	"a3s.dev/box/agent/box/cgroup"
	"a3s.dev/box/agent/box/process"
	"a3s.dev/box/agent/box/sandbox"
	"a3s.dev/box/agent/box/spec"
	"a3s.dev/box/agent/stage"
)

// reaperGroup names the control group of the process below. No container has such an id.
const reaperGroup = "pod-reaper"

// reaperOOMScore is that of other runtimes' process 1 of a pod: its end is that of all containers.
const reaperOOMScore = -998

// pids is the PID namespace that the containers of a pod share.
type pids struct {
	sandbox *sandbox.Sandbox
	group   *cgroup.Cgroup
}

// pidsOf returns the PID namespace that a container asks for; nil for one of its own.
func (b *Box) pidsOf(asked *spec.Pids) (*sandbox.Pids, error) {
	switch {
	case asked == nil:
		return nil, nil
	case asked.Kind == spec.PidsOfContainer:
		c, err := b.Container(*asked.ID)
		if err != nil {
			return nil, err
		}
		return c.pidsOfRunning()
	default:
		return b.podPids()
	}
}

// pidsOfRunning opens the PID namespace of a container whose main process runs.
func (b *Box) pidsOfRunning() (*sandbox.Pids, error) {
	b.mu.Lock()
	// Its end begins after this lock: until then its descriptors are open.
	defer b.mu.Unlock()
	if err := b.expectOwn(); err != nil {
		return nil, err
	}
	if b.handles[MainID].Report().State != process.StateRunning {
		return nil, process.ErrNotRunning
	}
	return b.sandbox.Pids()
}

// podPids opens the PID namespace of the pod, which is made for the first container that asks for
// it.
func (b *Box) podPids() (*sandbox.Pids, error) {
	p := b.pod
	p.pidsMu.Lock()
	defer p.pidsMu.Unlock()
	if p.pids == nil {
		made, err := b.makePids()
		if err != nil {
			return nil, errors.Join(err, made.close(p.steps.removeGroup))
		}
		p.pids = made
	}
	return p.pids.sandbox.Pids()
}

func (b *Box) makePids() (*pids, error) {
	made := &pids{}
	var err error
	b.pod.setUp.Lock()
	made.group, err = b.pod.steps.makeGroup(b.launcher.Cgroup, reaperGroup)
	b.pod.setUp.Unlock()
	if err != nil {
		return made, err
	}
	launcher := *b.launcher
	launcher.Cgroup = made.group
	var path string
	if made.sandbox, path, err = sandbox.NewPids(&launcher, stage.Reaper(), b.sandbox); err != nil {
		return made, err
	}
	w := made.sandbox.Main
	// It has no /dev whose null it could have as its input.
	if err := w.Narrow(false, true); err != nil {
		return made, err
	}
	request := &stage.ExecRequest{
		Main: true, Args: []string{path}, Cwd: "/", Stdin: true, NoNewPrivileges: true, OOMScore: b.pod.steps.reaperOOMScore,
		Filter: b.filters.Of(0),
	}
	none := func(syscall.WaitStatus) bool { return false }
	return made, launcher.Run(process.New(MainID), w, request, stage.Place{Network: -1, Cgroup: -1}, none)
}

// close ends the namespace, and with it all of its processes.
func (p *pids) close(removeGroup func(*cgroup.Cgroup) error) error {
	var err error
	if p.sandbox != nil {
		err = p.sandbox.EndPids()
	}
	if p.group != nil {
		err = errors.Join(err, removeGroup(p.group))
	}
	return err
}

// closePids ends the pod's PID namespace, where it has one.
func (b *Box) closePids() error {
	if b.pod == nil {
		return nil
	}
	b.pod.pidsMu.Lock()
	defer b.pod.pidsMu.Unlock()
	if b.pod.pids == nil {
		return nil
	}
	p := b.pod.pids
	b.pod.pids = nil
	return p.close(b.pod.steps.removeGroup)
}

// beginJoined starts the main process of a container whose PID namespace is another's. With it ends
// all that the container runs, as where it is process 1.
func (b *Box) beginJoined(h *process.Handle, request *stage.ExecRequest) error {
	w, err := b.standby.Take()
	if err != nil {
		return err
	}
	if err := w.Narrow(request.Terminal, request.Stdin); err != nil {
		return errors.Join(err, w.Abandon())
	}
	place := stage.Place{Network: b.sandbox.Namespaces.Network, Cgroup: -1}
	if err := b.launch(h, w, request, place, 0); err != nil {
		return err
	}
	go func() {
		<-h.Ended()
		// The group may be gone, with the container.
		_ = b.launcher.Cgroup.Kill()
	}()
	go b.standby.Replace(h)
	return nil
}
