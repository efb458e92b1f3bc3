package sandbox

import (
	"net"
	"os"
	"syscall"

	"a3s.dev/box/agent/linux"
)

// Connect connects to the Unix socket that a path names in the box's mounts. It waits for nobody: a
// socket with too many connections that its owner has not taken yet fails with EAGAIN.
func (s *Sandbox) Connect(path string) (*net.UnixConn, error) {
	socket, err := syscall.Socket(syscall.AF_UNIX, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC|syscall.SOCK_NONBLOCK, 0)
	if err != nil {
		return nil, &linux.Error{Op: "socket", Errno: err.(syscall.Errno)}
	}
	// net has a copy of it.
	file := os.NewFile(uintptr(socket), path)
	defer file.Close()
	// The sandbox's own thread has another root.
	within := startThread()
	defer within.end()
	if err := within.do(func() error {
		if err := s.enterMounts(); err != nil {
			return err
		}
		if err := syscall.Connect(socket, &syscall.SockaddrUnix{Name: path}); err != nil {
			return &linux.Error{Op: "connect", On: path, Errno: err.(syscall.Errno)}
		}
		return nil
	}); err != nil {
		return nil, err
	}
	conn, err := net.FileConn(file)
	if err != nil {
		return nil, err
	}
	return conn.(*net.UnixConn), nil
}
