package box

import "a3s.dev/box/agent/box/spec"

// PutNetworks replaces the networks of the box. One goroutine at a time calls it.
func (b *Box) PutNetworks(networks *spec.Networks) error {
	if err := spec.CheckNetworks(networks); err != nil {
		return err
	}
	if err := b.own(); err != nil {
		return err
	}
	return b.sandbox.SetNetworks(networks, b.spec.Hostname, b.spec.Domainname)
}
