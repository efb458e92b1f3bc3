package launch

import (
	"encoding/hex"
	"errors"
	"slices"
	"sync"

	"a3s.dev/box/agent/jsonapi"
	"a3s.dev/box/agent/launchspec"
	"a3s.dev/box/agent/sealedvolume"
	"a3s.dev/box/agent/server"
)

// volumes are those that were opened, sorted by name.
type volumes struct {
	mu     sync.Mutex
	opened []server.Volume
}

// Volumes are the sealed volumes that the box has; all of them before a process of it runs.
func (b *Born) Volumes() []server.Volume {
	b.volumes.mu.Lock()
	defer b.volumes.mu.Unlock()
	return slices.Clone(b.volumes.opened)
}

func (b *Born) opened(name string, v *sealedvolume.Volume) {
	b.volumes.mu.Lock()
	defer b.volumes.mu.Unlock()
	b.volumes.opened = append(b.volumes.opened, server.Volume{Name: name, ID: hex.EncodeToString(v.ID[:]), Created: v.Created})
	slices.SortFunc(b.volumes.opened, func(x, y server.Volume) int {
		if x.Name < y.Name {
			return -1
		}
		return 1
	})
}

// openDevice is replaced in tests.
var openDevice = sealedvolume.OpenDevice

// openSealed opens the disks of sealed volumes; nil where the launch spec has none.
func (l *Launch) openSealed(born *Born, services *Services) func(serial, device string) (string, error) {
	if born.Spec.Volumes == nil {
		return nil
	}
	binding := born.Spec.VolumeBinding()
	return func(serial, device string) (string, error) {
		v, found := born.Spec.VolumeOf(serial)
		if !found {
			return "", errors.New("the launch spec has no volume on " + serial)
		}
		opened, err := openDevice(serial, device, services.Sealer(binding, v.Policy), termsOf(&v))
		if err != nil {
			return "", volumeError(v.Name, err)
		}
		born.opened(v.Name, opened)
		return opened.Device, nil
	}
}

func termsOf(v *launchspec.Volume) sealedvolume.Terms {
	return sealedvolume.Terms{Name: v.Name, Policy: v.Policy, Init: v.Init, ID: v.WantedID()}
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
