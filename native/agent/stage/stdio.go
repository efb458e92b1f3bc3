package stage

import (
	"syscall"

	"a3s.dev/box/agent/linux"
)

// stdio holds the descriptors that become 0, 1 and 2.
type stdio struct {
	fds      [3]int
	terminal bool
}

func openStdio(request *ExecRequest, reply reply) (*stdio, error) {
	if request.Terminal {
		return openTerminal(request, reply)
	}
	stdio := &stdio{fds: [3]int{FdStdin, FdStdout, FdStderr}}
	if !request.Stdin {
		null, err := linux.OpenAt(-1, "/dev/null", syscall.O_RDONLY|syscall.O_NONBLOCK, 0, linux.NoSymlinks)
		if err != nil {
			return nil, err
		}
		stdio.fds[0] = null
	}
	return stdio, nil
}

// openTerminal opens a pseudo-terminal of the box's own devpts and hands its master to the agent.
func openTerminal(request *ExecRequest, reply reply) (*stdio, error) {
	master, slave, err := linux.OpenTerminal("/dev/pts/ptmx")
	if err != nil {
		return nil, err
	}
	if request.Rows > 0 && request.Columns > 0 {
		if err := linux.SetWindowSize(slave, request.Rows, request.Columns); err != nil {
			return nil, err
		}
	}
	if request.Main {
		if err := bindConsole(slave); err != nil {
			return nil, err
		}
	}
	if err := reply.send(MessageTerminal, nil, syscall.UnixRights(master)); err != nil {
		return nil, err
	}
	if err := syscall.Close(master); err != nil {
		return nil, err
	}
	return &stdio{fds: [3]int{slave, slave, slave}, terminal: true}, nil
}

func bindConsole(slave int) error {
	mount, err := linux.CloneMount(slave, "", false)
	if err != nil {
		return err
	}
	defer syscall.Close(mount)
	target, err := linux.OpenAt(-1, "/dev/console", linux.OPath, 0, linux.NoSymlinks)
	if err != nil {
		return err
	}
	defer syscall.Close(target)
	return linux.Attach(mount, target)
}

// chown lets the user open /dev/stdin, /dev/stdout and /dev/stderr again. Without it only root can.
func (s *stdio) chown(uid uint32) error {
	for _, fd := range s.fds {
		var stat syscall.Stat_t
		if err := syscall.Fstat(fd, &stat); err != nil {
			return err
		}
		// /dev/null is everybody's already.
		if stat.Mode&syscall.S_IFMT == syscall.S_IFCHR && !s.terminal || stat.Uid == uid {
			continue
		}
		if err := syscall.Fchown(fd, int(uid), -1); err != nil {
			return err
		}
	}
	return nil
}
