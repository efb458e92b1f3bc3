package launch

import (
	"encoding/hex"
	"errors"
	"slices"
	"sync"
	"time"

	"a3s.dev/box/agent/jsonapi"
	"a3s.dev/box/agent/kbs"
	"a3s.dev/box/agent/launchspec"
	"a3s.dev/box/agent/sealedvolume"
	"a3s.dev/box/agent/server"
)

// volumes are those that were opened, sorted by name.
type volumes struct {
	mu     sync.Mutex
	opened []server.Volume
	// counters are of those whose generations the broker has to confirm before a workload runs.
	counters []kbs.Counted
	// handles are of those whose headers are written before a workload runs.
	handles []sealedvolume.Handle
}

// Volumes are the sealed volumes that the box has; all of them before a process of it runs.
func (b *Born) Volumes() []server.Volume {
	b.volumes.mu.Lock()
	defer b.volumes.mu.Unlock()
	return slices.Clone(b.volumes.opened)
}

func (b *Born) opened(named *launchspec.Volume, v *sealedvolume.Volume) {
	b.volumes.mu.Lock()
	defer b.volumes.mu.Unlock()
	if v.Handle != nil {
		b.volumes.handles = append(b.volumes.handles, v.Handle)
		if named.Counter != nil {
			b.volumes.counters = append(b.volumes.counters, kbs.Counted{Path: *named.Counter, Volume: v.Handle})
		}
	}
	b.volumes.opened = append(b.volumes.opened, server.Volume{Name: named.Name, ID: hex.EncodeToString(v.ID[:]), Created: v.Created})
	slices.SortFunc(b.volumes.opened, func(x, y server.Volume) int {
		if x.Name < y.Name {
			return -1
		}
		return 1
	})
}

// counted are the volumes whose counters have to be advanced.
func (b *Born) counted() []kbs.Counted {
	b.volumes.mu.Lock()
	defer b.volumes.mu.Unlock()
	return slices.Clone(b.volumes.counters)
}

// use writes to the volumes that a workload has them, right before it runs, and lets go of their
// headers.
func (b *Born) use() error {
	b.volumes.mu.Lock()
	defer b.volumes.mu.Unlock()
	for _, handle := range b.volumes.handles {
		if err := handle.Use(); err != nil {
			return errors.Join(errors.New("the header of a sealed volume cannot be written"), err)
		}
	}
	return b.letGo()
}

// leave lets go of the headers of volumes, whose keys they have.
func (b *Born) leave() error {
	b.volumes.mu.Lock()
	defer b.volumes.mu.Unlock()
	return b.letGo()
}

// letGo is called with the lock.
func (b *Born) letGo() error {
	var failed error
	for _, handle := range b.volumes.handles {
		failed = errors.Join(failed, handle.Close())
	}
	b.volumes.handles = nil
	return failed
}

// openDevice is replaced in tests.
var openDevice = sealedvolume.OpenDevice

// openSealed opens the disks of sealed volumes; nil where the launch spec has none.
func (l *Launch) openSealed(born *Born, services *Services) func(serial, device string) (string, error) {
	if born.Spec.Volumes == nil {
		return nil
	}
	binding := born.Spec.VolumeBinding()
	deadline := time.Now().Add(time.Duration(born.Spec.SecretsDeadline) * time.Second)
	return func(serial, device string) (string, error) {
		v, found := born.Spec.VolumeOf(serial)
		if !found {
			return "", errors.New("the launch spec has no volume on " + serial)
		}
		terms := termsOf(&v)
		if v.Key != nil {
			keyed, err := l.volumeKey(services.Broker, &v, deadline)
			if err != nil {
				return "", volumeError(v.Name, err)
			}
			defer clear(keyed.Key)
			terms.Keyed = keyed
		}
		opened, err := openDevice(serial, device, services.Sealer(binding, v.Policy), terms)
		if err != nil {
			return "", volumeError(v.Name, err)
		}
		born.opened(&v, opened)
		return opened.Device, nil
	}
}

func termsOf(v *launchspec.Volume) sealedvolume.Terms {
	return sealedvolume.Terms{Name: v.Name, Policy: v.Policy, Init: v.Init, ID: v.WantedID(), Counted: v.Counter != nil}
}

// volumeError keeps the code of a refusal.
func volumeError(name string, err error) error {
	message := "sealed volume " + name + ": " + err.Error()
	var refusal *jsonapi.Error
	switch {
	case errors.As(err, &refusal) && refusal == jsonapi.ErrProcessor:
		return &server.Error{Code: "tee-unavailable", Message: message}
	case errors.As(err, &refusal):
		return &server.Error{Code: refusal.Code, Message: message}
	}
	return errors.Join(errors.New("sealed volume "+name), err)
}
