package cgroup

import (
	"syscall"

	"a3s.dev/box/agent/linux"
)

// FilterDevices has a program decide what devices the processes of the box open and make.
func (c *Cgroup) FilterDevices(program []byte) error {
	group, err := linux.OpenAt(-1, c.Dir, syscall.O_RDONLY|syscall.O_DIRECTORY, 0, 0)
	if err != nil {
		return err
	}
	defer syscall.Close(group)
	return linux.FilterDevices(group, program)
}
