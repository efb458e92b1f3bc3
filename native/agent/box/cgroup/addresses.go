package cgroup

import (
	"syscall"

	"a3s.dev/box/agent/linux"
	"a3s.dev/box/agent/redirect"
)

// Redirect leads what the sockets of the box send to some ports to others.
func (c *Cgroup) Redirect(ports redirect.Ports) error {
	group, err := linux.OpenAt(-1, c.Dir, syscall.O_RDONLY|syscall.O_DIRECTORY, 0, 0)
	if err != nil {
		return err
	}
	defer syscall.Close(group)
	for _, program := range ports.Programs() {
		if err := linux.RewriteAddresses(group, program.Hook, program.Instructions); err != nil {
			return err
		}
	}
	return nil
}
