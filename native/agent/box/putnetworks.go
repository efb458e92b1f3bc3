package box

import "a3s.dev/box/agent/box/spec"

// PutNetworks replaces the networks of the box. Where it has links, and the host knows of it, the
// agent is the DNS server of the box, which knows them. keepsCards: cards are the guest's for good,
// so that one that is not named any more waits outside of the box for its next network. One
// goroutine at a time calls it.
func (b *Box) PutNetworks(networks *spec.Networks, resolves, keepsCards bool) error {
	if err := spec.CheckNetworks(networks); err != nil {
		return err
	}
	if err := b.own(); err != nil {
		return err
	}
	if resolves {
		var err error
		if networks, err = b.resolve(networks); err != nil {
			return err
		}
	}
	return b.sandbox.SetNetworks(networks, b.spec.Hostname, b.spec.Domainname, keepsCards)
}
