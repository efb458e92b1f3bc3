package box

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"slices"
	"strings"
	"sync"

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
	ErrNotRunning  = errors.New("the process is not running")
	ErrRunning     = errors.New("the process is running")
	ErrNoTerminal  = errors.New("the process has no terminal")
	ErrStopping    = errors.New("the box is stopping")
	ErrNotFound    = errors.New("there is no such process")
	ErrFrozen      = errors.New("the box is frozen")
)

// MainID is the id of the main process.
const MainID = "main"

// maxProcesses bounds what the agent remembers of processes that were not forgotten.
const maxProcesses = 1024

// Box is the one box of this guest. It takes one spec, once; its main process is started once.
type Box struct {
	launcher *launcher
	// drivers is called once, before the box is set up.
	drivers func(uses ...string) error

	mu       sync.Mutex
	spec     *Spec
	digest   string
	ready    bool
	stopping bool
	started  bool
	// asleep: prepared, or about to be, and not woken.
	asleep   bool
	prepared bool
	ground   *ground
	// frozen: no process of the box runs until it is thawed, so none can be started.
	frozen  bool
	handles map[string]*Handle
	// ulimits are those of processes to come.
	ulimits *[]Ulimit
	filters filters
	// tops holds a place for each of the lists of processes that are being made.
	tops chan struct{}
	// standby is nil before the first stage is kept.
	standby *standby
}

// New makes a box without a spec. binary is open on this program, which nobody can write to. drivers gives the box's devices their drivers, those
// of some uses where it has any, and bars all others; it is called once, before anything of the box runs.
func New(r *reaper.Reaper, cgroup *Cgroup, binary int, drivers func(uses ...string) error) *Box {
	return &Box{
		launcher: &launcher{r, binary, cgroup, dockerLimits}, drivers: drivers, handles: map[string]*Handle{}, tops: make(chan struct{}, maxTops),
	}
}

// TakeSpec parses a spec, and sets the box up by it. The digest is that of the bytes as they came. The same bytes once more change
// nothing: a host whose connection broke does not know whether they were taken. It is called by one goroutine at a time.
func (b *Box) TakeSpec(data []byte) (digest string, err error) {
	spec, err := ParseSpec(data)
	if err != nil {
		return "", err
	}
	digest = digestOf(data)
	if b.Digest() == digest {
		return digest, nil
	}
	if err := b.Take(spec, digest); err != nil {
		return "", err
	}
	return digest, nil
}

// Take sets the box up by a spec that was checked, once. The digest is that of the document that it comes from.
func (b *Box) Take(spec *Spec, digest string) error {
	if err := b.claim(spec, digest); err != nil {
		return err
	}
	short, err := b.launcher.cgroup.limit(&spec.Resources)
	if err != nil {
		return err
	}
	if err := b.lay(spec); err != nil {
		return err
	}
	if short && b.prepared {
		if err := b.awaitMemory(&spec.Resources); err != nil {
			return err
		}
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.handles[MainID] = NewHandle(MainID)
	b.ulimits = spec.Resources.Ulimits
	b.ready = true
	return nil
}

func digestOf(spec []byte) string {
	sum := sha256.Sum256(spec)
	return "sha256:" + hex.EncodeToString(sum[:])
}

// awaitMemory waits until the memory that this machine has more than the prepared one is the guest's: programs size their heaps by
// what they find when they start.
func (b *Box) awaitMemory(resources *Resources) error {
	_, err := uevent.Wait(plugDeadline, func() (struct{}, bool, error) {
		short, err := b.launcher.cgroup.limit(resources)
		return struct{}{}, !short, err
	})
	// A box that gets less than it may take is held to that, as one in a machine of that size is.
	if errors.Is(err, uevent.ErrDeadline) {
		return nil
	}
	return err
}

// lay builds what the spec asks for, on the ground that there is, or on a new one.
func (b *Box) lay(spec *Spec) error {
	if b.ground == nil {
		if err := b.drivers(spec.uses()...); err != nil {
			return err
		}
		if err := b.makeGround(protectionOf(spec)); err != nil {
			return err
		}
		if err := b.ground.identify(); err != nil {
			return err
		}
	}
	return b.ground.setup(b.launcher, spec)
}

// makeGround keeps even what was made in part, so that Close finds it.
func (b *Box) makeGround(p protection) error {
	g, err := newGround(b.launcher, p)
	b.mu.Lock()
	defer b.mu.Unlock()
	b.ground = g
	if g != nil {
		b.standby = newStandby(b.launcher, &g.namespaces)
	}
	return err
}

// claim lets one spec in, whatever becomes of it: a set-up that failed cannot be tried again with another one.
func (b *Box) claim(spec *Spec, digest string) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case b.stopping:
		return ErrStopping
	case b.asleep:
		return ErrAsleep
	case b.spec != nil:
		return ErrSpecTaken
	}
	b.spec, b.digest = spec, digest
	return nil
}

// Digest is that of the spec; empty before the box is set up.
func (b *Box) Digest() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.ready {
		return ""
	}
	return b.digest
}

// Process finds a process.
func (b *Box) Process(id string) (*Handle, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch h := b.handles[id]; {
	case b.asleep:
		return nil, ErrAsleep
	case !b.ready:
		return nil, ErrSpecMissing
	case h == nil:
		return nil, ErrNotFound
	default:
		return h, nil
	}
}

// Processes lists all, by id.
func (b *Box) Processes() []*Handle {
	b.mu.Lock()
	defer b.mu.Unlock()
	handles := make([]*Handle, 0, len(b.handles))
	for _, h := range b.handles {
		handles = append(handles, h)
	}
	slices.SortFunc(handles, func(x, y *Handle) int { return strings.Compare(x.ID, y.ID) })
	return handles
}

// Forget drops an exited exec.
func (b *Box) Forget(id string) error {
	h, err := b.Process(id)
	if err != nil {
		return err
	}
	if id == MainID || h.Report().State != StateExited {
		return ErrRunning
	}
	if h.group != nil {
		if err := h.group.end(); err != nil {
			return err
		}
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.handles, id)
	return nil
}
