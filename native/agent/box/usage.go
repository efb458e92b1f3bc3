package box

import (
	"errors"

	"a3s.dev/box/agent/box/process"
	"a3s.dev/box/agent/box/stats"
)

// Stats returns the counters of the box.
func (b *Box) Stats() (*stats.Stats, error) {
	if b.Paused() {
		return nil, ErrPaused
	}
	if b.Digest() == "" {
		return nil, ErrSpecMissing
	}
	return stats.Read(b.launcher.Cgroup)
}

// Detail reads the counters that hosts know since version 4.
func (b *Box) Detail() (*stats.Detail, error) {
	network, err := b.sandbox.Devices()
	if err != nil {
		return nil, err
	}
	return stats.ReadDetail(b.launcher.Cgroup, network)
}

// maxTops bounds the number of lists that are made at once: a hostile filesystem or program of the
// box can hold one up, which keeps a thread.
const maxTops = 4

// ErrTooManyTops is a list of processes beyond that number.
var ErrTooManyTops = errors.New("too many ask for the processes of the box already")

// Top lists the processes of the box.
func (b *Box) Top() ([]stats.ProcessEntry, error) {
	if err := b.own(); err != nil {
		return nil, err
	}
	if h, err := b.Process(MainID); err != nil || h.Report().State != process.StateRunning {
		return nil, errors.Join(err, process.ErrNotRunning)
	}
	select {
	case b.tops <- struct{}{}:
		defer func() { <-b.tops }()
	default:
		return nil, ErrTooManyTops
	}
	return stats.ListProcesses(b.sandbox.Proc, b.sandbox.Root.FD)
}
