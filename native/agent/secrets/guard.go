package secrets

import "a3s.dev/box/agent/linux"

const rlimitCore = 4

// Guard sees that no memory of the agent, where secrets pass through, gets into a core dump or is
// read by another process.
func Guard() error {
	if err := linux.SetUndumpable(); err != nil {
		return err
	}
	return linux.SetLimit(rlimitCore, 0)
}
