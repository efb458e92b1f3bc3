// Package process starts the processes of the box by stages, and keeps their streams, states and
// ends.
package process

import (
	"errors"
	"os"
	"runtime"
	"sync"
	"syscall"
	"time"

	"a3s.dev/box/agent/box/cgroup"
	"a3s.dev/box/agent/linux"
	"a3s.dev/box/agent/output"
	"a3s.dev/box/agent/reaper"
	"a3s.dev/box/agent/signals"
)

// Errors of a process.
var (
	ErrNotRunning = errors.New("the process is not running")
	ErrNoTerminal = errors.New("the process has no terminal")
)

// outputGrace is how long a background child that holds the output open can delay the end of a
// process that has exited.
const outputGrace = 200 * time.Millisecond

// States of a process.
const (
	StateCreated = "created"
	StateWaiting = "waiting"
	StateRunning = "running"
	StateExited  = "exited"
)

// Exit is how a process ended.
type Exit struct {
	ExitCode   int     `json:"exitCode"`
	Signal     *string `json:"signal"`
	OOMKilled  bool    `json:"oomKilled"`
	FinishedAt string  `json:"finishedAt"`
	// Error is why the agent ended the process, or could not start a process that had waited. It is
	// nil when the process ended by itself.
	Error *ExitError `json:"error,omitempty"`
}

// ExitError is the reason for which the agent ended a process, or could not start it.
type ExitError struct {
	Code    string `json:"code"`
	Message string `json:"message"`
}

// Report is the host's view of a process.
type Report struct {
	ID           string  `json:"id"`
	State        string  `json:"state"`
	Pid          int     `json:"pid"`
	StartedAt    *string `json:"startedAt"`
	Exit         *Exit   `json:"exit"`
	Written      uint64  `json:"written"`
	Acknowledged uint64  `json:"acknowledged"`
	// User is nil for all but a main process that was started.
	User *User `json:"user,omitempty"`
}

// User is who a process was started as, by the numbers of the box.
type User struct {
	UID uint32 `json:"uid"`
	GID uint32 `json:"gid"`
	// Groups are the supplementary groups, the primary one among them.
	Groups []uint32 `json:"groups"`
}

// Handle is a process of the box, with its streams. Its states are created, running and exited, in
// this order. A main process that waits for its secrets is waiting after it was created.
type Handle struct {
	ID     string
	Output *output.Ring
	Input  *Input

	mu        sync.Mutex
	state     string
	pid       int
	startedAt *string
	user      *User
	exit      *Exit
	child     *reaper.Child
	terminal  *os.File
	// Group is its own control group, or nil.
	Group *cgroup.Child
	// ended is closed when the process has exited, and complete when its output has ended besides.
	ended, complete chan struct{}
	// reader ends the present reader of the output.
	reader func()
}

// New makes a process that has not been started yet.
func New(id string) *Handle {
	return &Handle{
		ID: id, Output: output.New(), Input: newInput(), state: StateCreated, ended: make(chan struct{}), complete: make(chan struct{}),
	}
}

// Report returns the present state.
func (h *Handle) Report() Report {
	h.mu.Lock()
	defer h.mu.Unlock()
	written, acknowledged := h.Output.Position()
	return Report{h.ID, h.state, h.pid, h.startedAt, h.exit, written, acknowledged, h.user}
}

// PidOfAgent is the id of a process that was started, as the agent sees it.
func (h *Handle) PidOfAgent() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.child.Pid
}

// Ended is closed when the process has exited, whether or not its output has ended.
func (h *Handle) Ended() <-chan struct{} { return h.ended }

// Complete is closed when the process has exited and its output has ended.
func (h *Handle) Complete() <-chan struct{} { return h.complete }

// Signal sends a signal; ErrNotRunning before the start and after the exit.
func (h *Handle) Signal(signal syscall.Signal) error {
	if h.endWaiting(signal) {
		return nil
	}
	if h.Group != nil && signal == syscall.SIGKILL {
		if err := h.Group.Kill(); err != cgroup.ErrEmpty {
			return err
		}
		return ErrNotRunning
	}
	h.mu.Lock()
	child := h.child
	h.mu.Unlock()
	if child == nil {
		return ErrNotRunning
	}
	err := child.Signal(signal)
	if err == reaper.ErrExited || err == syscall.ESRCH {
		return ErrNotRunning
	}
	return err
}

// Resize sets the size of the terminal.
func (h *Handle) Resize(rows, columns uint16) error {
	h.mu.Lock()
	terminal, state := h.terminal, h.state
	h.mu.Unlock()
	switch {
	case state != StateRunning:
		return ErrNotRunning
	case terminal == nil:
		return ErrNoTerminal
	}
	// The descriptor is used within the call, so it is not closed meanwhile.
	connection, err := terminal.SyscallConn()
	if err != nil {
		return err
	}
	var resized error
	if err := connection.Control(func(fd uintptr) { resized = linux.SetWindowSize(int(fd), rows, columns) }); err != nil {
		return err
	}
	return resized
}

// Displace makes its caller the one reader of the output: `end` is called when the next one comes.
func (h *Handle) Displace(end func()) {
	h.mu.Lock()
	previous := h.reader
	h.reader = end
	h.mu.Unlock()
	if previous != nil {
		previous()
	}
}

// run takes a started process over, and watches it to its end.
func (h *Handle) run(s *started, streams *streams, oomKilled func(status syscall.WaitStatus) bool) {
	h.mu.Lock()
	h.state = StateRunning
	h.pid = s.pid
	h.startedAt = timestamp()
	h.user = s.user
	h.child = s.child
	h.terminal = s.terminal
	h.mu.Unlock()
	outputs := streams.outputs()
	if s.terminal != nil {
		outputs = []source{newSource(output.Stdout, s.terminal, make([]byte, room))}
		h.Input.open(s.terminal, false)
	} else if streams.input != nil {
		h.Input.open(streams.input, true)
	}
	go func() {
		h.watch(outputs, oomKilled)
		// The goroutines that wait for the end run first.
		runtime.Gosched()
		// No caller is left that an error could be returned to.
		for _, source := range outputs {
			_ = source.file.Close()
		}
		_ = streams.closePipe()
	}()
}

func (h *Handle) watch(outputs []source, oomKilled func(status syscall.WaitStatus) bool) {
	for _, source := range outputs {
		go func() {
			source.pump(h.Output)
			if h.terminal != nil {
				// A process that opens the terminal again, after all others have closed it, finds
				// it hung up.
				_ = source.file.Close()
			}
		}()
	}
	<-h.child.Done()
	status := h.child.Status()
	exit := &Exit{ExitCode: status.ExitStatus(), OOMKilled: oomKilled(status), FinishedAt: *timestamp()}
	if status.Signaled() {
		name := signals.Name(status.Signal())
		exit.ExitCode, exit.Signal = 128+int(status.Signal()), &name
	}
	h.mu.Lock()
	h.state, h.exit = StateExited, exit
	h.mu.Unlock()
	if h.Group != nil {
		h.Group.Tidy()
	}
	close(h.ended)
	h.Input.processExited()
	for _, source := range outputs {
		source.endWithin(outputGrace)
	}
	for _, source := range outputs {
		<-source.ended
	}
	h.Output.End()
	close(h.complete)
}

func timestamp() *string {
	text := time.Now().UTC().Format(time.RFC3339Nano)
	return &text
}
