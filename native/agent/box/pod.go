package box

import (
	"errors"
	"slices"
	"strings"
	"sync"

	"a3s.dev/box/agent/box/cgroup"
	"a3s.dev/box/agent/box/process"
	"a3s.dev/box/agent/box/rootfs"
	"a3s.dev/box/agent/box/sandbox"
	"a3s.dev/box/agent/box/spec"
)

// Errors of pods and containers.
var (
	// ErrPod is a request for what a pod has in its containers only.
	ErrPod = errors.New("the guest is a pod: its containers have processes and files of their own")
	// ErrNotPod is a container for a guest whose spec is that of a box.
	ErrNotPod            = errors.New("the guest is not a pod")
	ErrNoContainer       = errors.New("there is no such container")
	ErrTooManyContainers = errors.New("there are too many containers")
)

// maxContainers bounds the containers of a pod.
const maxContainers = 64

// pod has the containers of a box that took the spec of a pod. Each of them is a box with a root,
// processes and a control group of its own, whose network and names are the pod's.
type pod struct {
	// containers are protected by the mutex of the pod's box.
	containers map[string]*Box
	// setUp is held while a control group is made: the agent is in that group for a moment.
	setUp sync.Mutex
	// pids is nil until a container asks for the PID namespace of the pod. pidsMu is held while it
	// is made.
	pidsMu sync.Mutex
	pids   *pids
	steps  containerSteps
}

// containerSteps are what tests replace, which have no control groups and no disks.
type containerSteps struct {
	makeGroup   func(pod *cgroup.Cgroup, id string) (*cgroup.Cgroup, error)
	removeGroup func(*cgroup.Cgroup) error
	setUp       func(*sandbox.Sandbox, *process.Launcher, *spec.Spec) error
	// reaperOOMScore takes a capability that even root may lack where tests run.
	reaperOOMScore int16
}

func newPod() *pod {
	return &pod{
		containers: map[string]*Box{},
		steps:      containerSteps{(*cgroup.Cgroup).NewContainer, (*cgroup.Cgroup).Remove, (*sandbox.Sandbox).SetUp, reaperOOMScore},
	}
}

// TakePod is TakeSpec for a guest with containers. It sets up what they have in common.
func (b *Box) TakePod(data []byte) (digest string, err error) {
	spec, err := spec.ParsePod(data)
	if err != nil {
		return "", err
	}
	return b.takeOnce(spec, data)
}

// setupPod sets up the pod's sandbox. A stage of a prepared guest that waits for an exec waits for
// nothing.
func (b *Box) setupPod(spec *spec.Spec) error {
	if err := b.standby.End(); err != nil {
		return err
	}
	return b.sandbox.SetUpPod(spec)
}

// NewContainer makes a container that has no spec yet. The host may send its spec before the pod's
// was taken.
func (b *Box) NewContainer(id string) (*Box, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case b.stopping:
		return nil, ErrStopping
	case b.paused:
		return nil, ErrPaused
	case b.spec != nil && !b.spec.Pod:
		return nil, ErrNotPod
	case b.pod.containers[id] != nil:
		return nil, ErrIDTaken
	case len(b.pod.containers) >= maxContainers:
		return nil, ErrTooManyContainers
	}
	launcher := *b.launcher
	launcher.Cgroup = nil
	c := &Box{
		launcher: &launcher, in: b, id: id, handles: map[string]*process.Handle{}, tops: make(chan struct{}, maxTops),
		copies: newCopies(), pod: newPod(),
	}
	b.pod.containers[id] = c
	return c, nil
}

// TakeContainer is TakeSpec for a container of a pod.
func (b *Box) TakeContainer(data []byte) (digest string, err error) {
	pod, err := b.in.podSpec()
	if err != nil {
		return "", err
	}
	spec, err := spec.ParseContainer(data, pod)
	if err != nil {
		return "", err
	}
	return b.takeOnce(spec, data)
}

// podSpec returns the spec of a pod that is set up.
func (b *Box) podSpec() (*spec.Spec, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if err := b.expectReady(); err != nil {
		return nil, err
	}
	if !b.spec.Pod {
		return nil, ErrNotPod
	}
	return b.spec, nil
}

// makeGroup makes the control group of a container.
func (b *Box) makeGroup() (err error) {
	b.in.pod.setUp.Lock()
	defer b.in.pod.setUp.Unlock()
	b.launcher.Cgroup, err = b.in.pod.steps.makeGroup(b.in.launcher.Cgroup, b.id)
	return err
}

// setupContainer sets up the sandbox of a container, up to the start of its main process.
func (b *Box) setupContainer(spec *spec.Spec) error {
	s, err := sandbox.NewContainer(b.launcher, rootfs.ProtectionOf(spec), b.id, b.in.sandbox)
	b.keepSandbox(s)
	if err != nil {
		return err
	}
	if err := s.IdentifyContainer(); err != nil {
		return err
	}
	pids, err := b.in.pidsOf(spec.Pids)
	if err != nil {
		return err
	}
	if pids != nil {
		s.JoinPids(pids)
	}
	return b.in.pod.steps.setUp(s, b.launcher, spec)
}

// Container returns a container of the pod, which may have no spec yet.
func (b *Box) Container(id string) (*Box, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if c := b.pod.containers[id]; c != nil {
		return c, nil
	}
	return nil, ErrNoContainer
}

// Containers returns the containers of a pod, sorted by their ids.
func (b *Box) Containers() []*Box {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.pod == nil {
		return nil
	}
	containers := make([]*Box, 0, len(b.pod.containers))
	for _, c := range b.pod.containers {
		containers = append(containers, c)
	}
	slices.SortFunc(containers, func(x, y *Box) int { return strings.Compare(x.id, y.id) })
	return containers
}

// ContainerID is the id of a container in its pod; empty for a box.
func (b *Box) ContainerID() string { return b.id }

// RemoveContainer ends a container, and leaves its changes clean on their disk. It is gone
// afterwards in every case: an error says what could not be left as it should be. No set-up of it
// may be going on.
func (b *Box) RemoveContainer(id string) error {
	c, err := b.Container(id)
	if err != nil {
		return err
	}
	if !c.Stop() {
		return ErrStopping
	}
	err = c.closeContainer()
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.pod.containers, id)
	return err
}

// closeContainer is Close for a container, of which nothing stays in the guest.
func (b *Box) closeContainer() error {
	b.mu.Lock()
	sandbox, standby, started := b.sandbox, b.standby, b.started
	b.mu.Unlock()
	err := errors.Join(b.copies.end(), b.sockets.close())
	group := b.launcher.Cgroup
	if group == nil {
		return err
	}
	err = errors.Join(err, group.KillAll())
	if sandbox != nil {
		err = errors.Join(err, standby.End(), sandbox.EndContainer(started))
	}
	return errors.Join(err, b.in.pod.steps.removeGroup(group))
}
