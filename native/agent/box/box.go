// Package box is the one box of a guest: the order in which its parts are made, and what is refused
// when.
package box

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"slices"
	"strings"
	"sync"

	"a3s.dev/box/agent/box/cgroup"
	"a3s.dev/box/agent/box/layers"
	"a3s.dev/box/agent/box/process"
	"a3s.dev/box/agent/box/rootfs"
	"a3s.dev/box/agent/box/sandbox"
	"a3s.dev/box/agent/box/spec"
	"a3s.dev/box/agent/reaper"
	"a3s.dev/box/agent/uevent"
)

// Errors of a box.
var (
	ErrSpecTaken   = errors.New("the spec was taken already")
	ErrSpecMissing = errors.New("the spec was not taken yet")
	ErrStarted     = errors.New("the process was started already")
	ErrIDTaken     = errors.New("the id is in use")
	ErrTooMany     = errors.New("there are too many processes")
	ErrRunning     = errors.New("the process is running")
	ErrStopping    = errors.New("the box is stopping")
	ErrNotFound    = errors.New("there is no such process")
	ErrFrozen      = errors.New("the box is frozen")
)

// MainID is the id of the main process.
const MainID = "main"

// maxProcesses bounds what the agent remembers of processes that were not forgotten.
const maxProcesses = 1024

// Box is the one box of this guest, or a container of its pod. It takes one spec, and starts its
// main process once.
type Box struct {
	launcher *process.Launcher
	// in is the pod that a container is in, and id the container's name there; nil for a box.
	in  *Box
	id  string
	pod *pod
	// drivers is called once, before the box is set up.
	drivers func(uses ...string) error

	mu       sync.Mutex
	spec     *spec.Spec
	digest   string
	ready    bool
	stopping bool
	started  bool
	// paused: the guest was or is being prepared, and has no identity of its own yet.
	paused   bool
	prepared bool
	sandbox  *sandbox.Sandbox
	// frozen: no process of the box runs until it is thawed, so none can be started.
	frozen  bool
	handles map[string]*process.Handle
	// ulimits apply to processes that start from now on.
	ulimits *[]spec.Ulimit
	filters process.Filters
	// tops holds a place for each of the lists of processes that are being made.
	tops chan struct{}
	// standby is nil before the first stage is kept.
	standby *process.Standby
	copies  *copies
	touches touches
	sockets sockets
	// resolver is the DNS server of a box with links.
	resolver resolver
}

// New makes a box without a spec. binary is open on this program, which no process can write to.
// drivers loads the drivers of the box's devices and of some uses, and blocks all others. It is
// called once, before a process of the box runs.
func New(r *reaper.Reaper, cgroup *cgroup.Cgroup, binary int, drivers func(uses ...string) error) *Box {
	return &Box{
		launcher: &process.Launcher{Reaper: r, Binary: binary, Cgroup: cgroup, Limits: process.DockerLimits},
		drivers:  drivers, handles: map[string]*process.Handle{}, tops: make(chan struct{}, maxTops),
		copies: newCopies(), pod: newPod(), resolver: resolver{redirect: cgroup.Redirect},
	}
}

// TakeSpec parses a spec, and sets the box up by it. The digest is that of these bytes. The same
// bytes again change nothing, since a host whose connection broke does not know whether they were
// taken. One goroutine at a time calls it.
func (b *Box) TakeSpec(data []byte) (digest string, err error) {
	spec, err := spec.Parse(data)
	if err != nil {
		return "", err
	}
	return b.takeOnce(spec, data)
}

// takeOnce takes a spec that was read from these bytes, unless it did so before.
func (b *Box) takeOnce(spec *spec.Spec, data []byte) (digest string, err error) {
	digest = digestOf(data)
	if b.Digest() == digest {
		return digest, nil
	}
	if err := b.Take(spec, digest); err != nil {
		return "", err
	}
	return digest, nil
}

// Take sets the box up, once, by a spec that was checked. The digest is that of the document that
// the spec comes from.
func (b *Box) Take(spec *spec.Spec, digest string) error {
	if err := b.claim(spec, digest); err != nil {
		return err
	}
	if b.in != nil {
		if err := b.makeGroup(); err != nil {
			return err
		}
	}
	short, err := b.launcher.Cgroup.Limit(&spec.Resources)
	if err != nil {
		return err
	}
	if err := b.setup(spec); err != nil {
		return err
	}
	if short && b.prepared {
		if err := b.awaitMemory(&spec.Resources); err != nil {
			return err
		}
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if !spec.Pod {
		b.handles[MainID] = process.New(MainID)
	}
	b.ulimits = spec.Resources.Ulimits
	b.ready = true
	return nil
}

func digestOf(spec []byte) string {
	sum := sha256.Sum256(spec)
	return "sha256:" + hex.EncodeToString(sum[:])
}

// awaitMemory waits until the guest has the memory that its VM was given beyond that of the
// prepared one: programs size their heaps by the memory that they find when they start.
func (b *Box) awaitMemory(resources *spec.Resources) error {
	_, err := uevent.Wait(layers.AttachDeadline, func() (struct{}, bool, error) {
		short, err := b.launcher.Cgroup.Limit(resources)
		return struct{}{}, !short, err
	})
	// A box that gets less than it may take has that as its limit, as it has in a VM of that size.
	if errors.Is(err, uevent.ErrDeadline) {
		return nil
	}
	return err
}

// setup sets up the prepared sandbox, or a new one.
func (b *Box) setup(spec *spec.Spec) error {
	if b.in != nil {
		return b.setupContainer(spec)
	}
	if b.sandbox == nil {
		if err := b.drivers(spec.Uses()...); err != nil {
			return err
		}
		if err := b.makeSandbox(rootfs.ProtectionOf(spec)); err != nil {
			return err
		}
		if err := b.sandbox.Identify(); err != nil {
			return err
		}
	}
	if spec.Pod {
		return b.setupPod(spec)
	}
	return b.sandbox.SetUp(b.launcher, spec)
}

// makeSandbox keeps a sandbox that could be made in part only, so that Close ends it.
func (b *Box) makeSandbox(p rootfs.Protection) error {
	s, err := sandbox.New(b.launcher, p)
	b.keepSandbox(s)
	return err
}

func (b *Box) keepSandbox(s *sandbox.Sandbox) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.sandbox = s
	if s != nil {
		b.standby = process.NewStandby(b.launcher, &s.Namespaces)
	}
}

// claim takes one spec and refuses all others, also after a set-up that failed.
func (b *Box) claim(spec *spec.Spec, digest string) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case b.stopping:
		return ErrStopping
	case b.paused:
		return ErrPaused
	case b.spec != nil:
		return ErrSpecTaken
	}
	b.spec, b.digest = spec, digest
	return nil
}

// Digest returns the digest of the spec; empty before the box is set up.
func (b *Box) Digest() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.ready {
		return ""
	}
	return b.digest
}

// expectReady returns an error unless the box has its spec and does not end. The caller holds b.mu.
func (b *Box) expectReady() error {
	switch {
	case b.stopping:
		return ErrStopping
	case b.paused:
		return ErrPaused
	case !b.ready:
		return ErrSpecMissing
	default:
		return nil
	}
}

// expectOwn returns an error unless the box has its spec, does not end, and has a root and
// processes of its own, as a pod has not. The caller holds b.mu.
func (b *Box) expectOwn() error {
	if err := b.expectReady(); err != nil {
		return err
	}
	if b.spec != nil && b.spec.Pod {
		return ErrPod
	}
	return nil
}

// own is expectOwn for a caller that does not hold b.mu.
func (b *Box) own() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.expectOwn()
}

// Process returns the process with an id.
func (b *Box) Process(id string) (*process.Handle, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch h := b.handles[id]; {
	case b.paused:
		return nil, ErrPaused
	case !b.ready:
		return nil, ErrSpecMissing
	case h == nil:
		return nil, ErrNotFound
	default:
		return h, nil
	}
}

// Processes returns all processes, sorted by id.
func (b *Box) Processes() []*process.Handle {
	b.mu.Lock()
	defer b.mu.Unlock()
	handles := make([]*process.Handle, 0, len(b.handles))
	for _, h := range b.handles {
		handles = append(handles, h)
	}
	slices.SortFunc(handles, func(x, y *process.Handle) int { return strings.Compare(x.ID, y.ID) })
	return handles
}

// Forget drops an exited exec. What it has left behind goes on.
func (b *Box) Forget(id string) error {
	h, err := b.Process(id)
	if err != nil {
		return err
	}
	if id == MainID || h.Report().State != process.StateExited {
		return ErrRunning
	}
	if h.Group != nil {
		b.launcher.Cgroup.Leave(h.Group)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.handles, id)
	return nil
}
