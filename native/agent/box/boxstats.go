package box

import "errors"

// Stats answers the counters of the box.
func (b *Box) Stats() (*Stats, error) {
	if b.Asleep() {
		return nil, ErrAsleep
	}
	if b.Digest() == "" {
		return nil, ErrSpecMissing
	}
	return readStats(b.launcher.cgroup)
}

// Detail reads the counters that hosts know since version 4.
func (b *Box) Detail() (*Detail, error) {
	network, err := b.ground.devices()
	if err != nil {
		return nil, err
	}
	return readDetail(b.launcher.cgroup, network)
}

// maxTops bounds how many lists are made at once: one that a hostile filesystem or program of the box holds up keeps a thread.
const maxTops = 4

// ErrTooManyTops is more than that.
var ErrTooManyTops = errors.New("too many ask for the processes of the box already")

// Top lists the processes of the box.
func (b *Box) Top() ([]ProcessEntry, error) {
	if _, err := b.present(); err != nil {
		return nil, err
	}
	if h, err := b.Process(MainID); err != nil || h.Report().State != StateRunning {
		return nil, errors.Join(err, ErrNotRunning)
	}
	select {
	case b.tops <- struct{}{}:
		defer func() { <-b.tops }()
	default:
		return nil, ErrTooManyTops
	}
	return listProcesses(b.ground.proc, b.ground.root.fd)
}
