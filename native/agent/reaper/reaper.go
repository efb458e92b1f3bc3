// Package reaper owns wait4: when several callers wait for one process, the kernel tells only one
// of them.
package reaper

import (
	"errors"
	"sync"
	"syscall"
	"unsafe"
)

// ErrExited is a signal to a process that is no more.
var ErrExited = errors.New("process has exited")

// Child is a process that was started by, or adopted into, a reaper.
type Child struct {
	// Pid is the process's id as the agent sees it.
	Pid    int
	reaper *Reaper
	done   chan struct{}
	status syscall.WaitStatus
}

// Done is closed when the process has been reaped.
func (c *Child) Done() <-chan struct{} { return c.done }

// Status is how the process ended; valid once Done is closed.
func (c *Child) Status() syscall.WaitStatus { return c.status }

// Signal sends a signal, never to another process that got the same id.
func (c *Child) Signal(signal syscall.Signal) error {
	c.reaper.mu.Lock()
	defer c.reaper.mu.Unlock()
	select {
	case <-c.done:
		return ErrExited
	default:
		return syscall.Kill(c.Pid, signal)
	}
}

// Reaper reaps every child of this process.
type Reaper struct {
	// mu is held while a child is started and registered, and while one is reaped: so no child ends
	// unknown, and no id that is still registered can name another process.
	mu       sync.Mutex
	children map[int]*Child
	// unclaimed keeps how processes ended that a stage started on our behalf and that we do not
	// know yet; it is emptied when no stage is at work.
	unclaimed map[int]syscall.WaitStatus
	adopting  int
	started   chan struct{}
}

// New makes a reaper; Run must be called once.
func New() *Reaper {
	return &Reaper{
		children:  map[int]*Child{},
		unclaimed: map[int]syscall.WaitStatus{},
		started:   make(chan struct{}, 1),
	}
}

// Start registers the process that spawn starts.
func (r *Reaper) Start(spawn func() (pid int, err error)) (*Child, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	pid, err := spawn()
	if err != nil {
		return nil, err
	}
	child := r.register(pid)
	r.notify()
	return child, nil
}

func (r *Reaper) register(pid int) *Child {
	child := &Child{Pid: pid, reaper: r, done: make(chan struct{})}
	r.children[pid] = child
	return child
}

func (r *Reaper) notify() {
	select {
	case r.started <- struct{}{}:
	default:
	}
}

// Adopting announces that a child may appear that this process did not start itself (CLONE_PARENT).
// The returned function ends that.
func (r *Reaper) Adopting() (done func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.adopting++
	return func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.adopting--
		if r.adopting == 0 {
			clear(r.unclaimed)
		}
	}
}

// Adopt registers such a child; it may have ended already.
func (r *Reaper) Adopt(pid int) *Child {
	r.mu.Lock()
	defer r.mu.Unlock()
	child := r.register(pid)
	if status, ended := r.unclaimed[pid]; ended {
		delete(r.unclaimed, pid)
		r.finish(child, status)
	}
	r.notify()
	return child
}

func (r *Reaper) finish(child *Child, status syscall.WaitStatus) {
	delete(r.children, child.Pid)
	child.status = status
	close(child.done)
}

// Run reaps and does not return unless wait4 fails; an error other than "no child" is a bug or a
// broken kernel.
func (r *Reaper) Run() error {
	if err := resetSigchld(); err != nil {
		return err
	}
	for {
		pid, err := waitAny()
		switch err {
		case nil:
			if err := r.reap(pid); err != nil {
				return err
			}
		case syscall.EINTR:
		case syscall.ECHILD:
			<-r.started
		default:
			return err
		}
	}
}

// resetSigchld takes from this process the Go runtime's handler of SIGCHLD, which does nothing: by
// default the kernel sends no such signal, and keeps those who ended until they are waited for.
func resetSigchld() error {
	// The kernel's struct sigaction: handler, flags, restorer, mask. All zero is the default.
	var action [4]uint64
	const maskSize = 8
	_, _, errno := syscall.RawSyscall6(
		syscall.SYS_RT_SIGACTION, uintptr(syscall.SIGCHLD), uintptr(unsafe.Pointer(&action)), 0, maskSize, 0, 0)
	if errno != 0 {
		return errno
	}
	return nil
}

// waitAny waits until a child has ended and leaves it a zombie, so that its id stays taken.
func waitAny() (int, error) {
	const (
		pAll    = 0
		wexited = 4
		wnowait = 0x1000000
	)
	// siginfo_t: si_pid follows si_signo, si_errno, si_code and four bytes of padding.
	var info struct {
		_   [4]int32
		pid int32
		_   [27]int32
	}
	_, _, errno := syscall.Syscall6(syscall.SYS_WAITID, pAll, 0, uintptr(unsafe.Pointer(&info)), wexited|wnowait, 0, 0)
	if errno != 0 {
		return 0, errno
	}
	return int(info.pid), nil
}

func (r *Reaper) reap(pid int) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	var status syscall.WaitStatus
	got, err := syscall.Wait4(pid, &status, syscall.WNOHANG, nil)
	if err != nil {
		return err
	}
	if got != pid {
		return nil
	}
	if child, known := r.children[pid]; known {
		r.finish(child, status)
	} else if r.adopting > 0 {
		r.unclaimed[pid] = status
	}
	return nil
}
