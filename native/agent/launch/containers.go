package launch

import (
	"crypto/sha256"
	"errors"
	"maps"
	"slices"
	"strconv"
	"sync"

	"a3s.dev/box/agent/box"
	"a3s.dev/box/agent/box/process"
	"a3s.dev/box/agent/box/spec"
	"a3s.dev/box/agent/launchspec"
	"a3s.dev/box/agent/secrets"
	"a3s.dev/box/agent/server"
)

// containers are those of the pod that are in the guest.
type containers struct {
	mu sync.Mutex
	// byName has each container of the launch spec that is there, once.
	byName map[string]*container
	// taken is how many there were.
	taken int
	// fetching is there once the first of them waits for secrets of a broker.
	fetching *fetch
}

// container is one container of the pod.
type container struct {
	*Launch
	box server.ContainerBox

	mu sync.Mutex
	// name is the container of the launch spec that this one is for good; empty before it has taken
	// a request.
	name string
	// gone is set when it was removed: nothing is made for it any more.
	gone bool
	// view is the launch spec as it is for this container; nil before it has taken a request.
	view  *launchspec.Spec
	files *secrets.Files
	close func() error
}

var _ server.ConfidentialContainer = (*container)(nil)

// Container makes what a container has besides its box.
func (l *Launch) Container(b server.ContainerBox) server.ConfidentialContainer {
	return &container{Launch: l, box: b}
}

// Spec is that of the pod, with what differs for the container. It is nil before the pod was made.
func (c *container) Spec() *launchspec.Spec {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.view != nil {
		return c.view
	}
	return c.Launch.Spec()
}

// TakeContainer makes the container of the launch spec that a host's request is for. Nothing is
// made of a request that the launch spec does not permit. The same bytes once more change nothing.
func (c *container) TakeContainer(request []byte) (string, error) {
	born := c.isBorn()
	if born == nil {
		return "", box.ErrSpecMissing
	}
	if !born.Spec.IsPod() {
		return "", box.ErrNotPod
	}
	digest := sha256.Sum256(request)
	if c.box.Digest() == textOf(digest) {
		return textOf(digest), nil
	}
	name, made, err := born.Spec.ForContainer(request)
	if err != nil {
		return "", err
	}
	if err := c.claim(name, born, made); err != nil {
		return "", err
	}
	if err := c.attach(made); err != nil {
		return "", err
	}
	// Disks may take their time, and requests that are refused do not wait for them.
	if err := take(c.box, made, digest); err != nil {
		return "", err
	}
	return textOf(digest), hide(c.box, born.Spec)
}

// claim takes each container of the launch spec once at a time: two that run under one name would
// be more than a relying party reads. What runs under one name does not get another.
func (c *container) claim(name string, born *Born, made *spec.Spec) error {
	all := &c.containers
	all.mu.Lock()
	defer all.mu.Unlock()
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.gone:
		return box.ErrNoContainer
	case c.name != "" && c.name != name:
		return &server.Error{Code: "conflict", Message: "this is the container " + c.name + " of the launch spec already"}
	case all.byName[name] != nil:
		return &server.Error{Code: "conflict", Message: "the container " + name + " of the launch spec is there already"}
	}
	if all.byName == nil {
		all.byName = map[string]*container{}
	}
	all.byName[name] = c
	c.name, c.view = name, born.Spec.OfContainer(name)
	all.taken++
	for index := range made.Rootfs.Layers {
		verity := made.Rootfs.Layers[index].Verity
		verity.Device = "k" + strconv.Itoa(all.taken) + "-" + made.Rootfs.Layers[index].Serial
	}
	made.FindDisks = c.FindDisks
	return nil
}

func (c *container) attach(made *spec.Spec) (err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.gone {
		return box.ErrNoContainer
	}
	c.Launch.mu.Lock()
	services := c.services
	c.Launch.mu.Unlock()
	if made.Attachments, c.close, err = services.ForContainer(); err != nil {
		return err
	}
	// A container that gets no file has no file system for them either.
	if !slices.ContainsFunc(c.view.Secrets, isFile) {
		return nil
	}
	if c.files, err = secrets.NewFiles(); err != nil {
		return err
	}
	made.Attachments = append(made.Attachments, spec.Attachment{Mount: c.files.Mount(), Path: secrets.Directory})
	return nil
}

// Start starts the main process. One of a pod that has secrets waits for them.
func (c *container) Start() (*process.Handle, error) {
	born := c.isBorn()
	if born == nil {
		return nil, box.ErrSpecMissing
	}
	if born.Secrets.Status().State == secrets.None {
		return c.box.Start()
	}
	h, err := c.box.Await()
	if err != nil {
		return nil, err
	}
	go c.awaitShared(h, born.Secrets, c.fetchOnce(born))
	return h, nil
}

// fetchOnce fetches the secrets for all containers, from the start of the first one on.
func (l *Launch) fetchOnce(born *Born) *fetch {
	l.containers.mu.Lock()
	defer l.containers.mu.Unlock()
	if l.containers.fetching == nil {
		l.containers.fetching = l.fetch(born, nil)
	}
	return l.containers.fetching
}

func (c *container) awaitShared(h *process.Handle, store *secrets.Store, f *fetch) {
	select {
	case <-store.Done():
	case <-h.Complete():
		return
	}
	if state := store.Status().State; state != secrets.Ready {
		c.abandon(c.box, h, reasonOf(f, state))
		return
	}
	environment, err := c.share(store)
	if err != nil {
		c.box.Abandon(h, process.ExitErrorOf(err))
		return
	}
	c.box.Begin(h, environment)
}

func (c *container) share(store *secrets.Store) (environment []string, err error) {
	owner, err := c.box.MainUser()
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.gone {
		return nil, box.ErrNoContainer
	}
	names := make([]string, len(c.view.Secrets))
	for index, secret := range c.view.Secrets {
		names[index] = secret.Name
	}
	return store.Share(c.files, owner, names)
}

// Leave lets go of what a container had that was removed. Its name is free then.
func (c *container) Leave() error {
	c.containers.mu.Lock()
	defer c.containers.mu.Unlock()
	return c.leave()
}

// leave is called with the lock of all containers.
func (c *container) leave() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	var err error
	if c.files != nil {
		err = c.files.Close()
	}
	if c.close != nil {
		err = errors.Join(err, c.close())
	}
	if c.containers.byName[c.name] == c {
		delete(c.containers.byName, c.name)
	}
	c.files, c.close, c.gone = nil, nil, true
	return err
}

// close overwrites the secrets that containers have in files.
func (all *containers) close() error {
	all.mu.Lock()
	defer all.mu.Unlock()
	var err error
	for _, c := range slices.Collect(maps.Values(all.byName)) {
		err = errors.Join(err, c.leave())
	}
	return err
}
