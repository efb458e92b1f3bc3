package reaper

import (
	"errors"
	"os"
	"os/exec"
	"strconv"
	"syscall"
	"testing"
)

const role = "A3S_TEST_REAPER"

// A reaper takes every child of its process, so each scenario has a process of its own.
func TestMain(m *testing.M) {
	scenario, set := scenarios[os.Getenv(role)]
	if !set {
		os.Exit(m.Run())
	}
	r := New()
	go func() {
		if err := r.Run(); err != nil {
			panic(err)
		}
	}()
	if err := scenario(r); err != nil {
		os.Stdout.WriteString(err.Error())
		os.Exit(1)
	}
}

var scenarios = map[string]func(*Reaper) error{
	"many":    many,
	"signal":  signal,
	"adopted": adopted,
}

func TestTheReaperWaitsForEveryChild(t *testing.T) {
	for name := range scenarios {
		t.Run(name, func(t *testing.T) {
			command := exec.Command("/proc/self/exe")
			command.Env = append(os.Environ(), role+"="+name)
			if out, err := command.CombinedOutput(); err != nil {
				t.Errorf("%v: %s", err, out)
			}
		})
	}
}

func sh(r *Reaper, script string) (*Child, error) {
	return r.Start(func() (int, error) {
		return syscall.ForkExec("/bin/sh", []string{"sh", "-c", script}, &syscall.ProcAttr{Env: []string{"PATH=/bin:/usr/bin"}, Files: []uintptr{0, 1, 2}})
	})
}

// many children that end at once all get their own status.
func many(r *Reaper) error {
	var children []*Child
	for code := range 50 {
		child, err := sh(r, "exit "+strconv.Itoa(code))
		if err != nil {
			return err
		}
		children = append(children, child)
	}
	for code, child := range children {
		<-child.Done()
		if got := child.Status().ExitStatus(); got != code {
			return errors.New("exit " + strconv.Itoa(got) + " instead of " + strconv.Itoa(code))
		}
	}
	return nil
}

func signal(r *Reaper) error {
	child, err := sh(r, "kill -STOP $$; exit 3")
	if err != nil {
		return err
	}
	if err := child.Signal(syscall.SIGKILL); err != nil {
		return err
	}
	<-child.Done()
	if status := child.Status(); !status.Signaled() || status.Signal() != syscall.SIGKILL {
		return errors.New("it did not end by SIGKILL")
	}
	if err := child.Signal(syscall.SIGKILL); !errors.Is(err, ErrExited) {
		return errors.New("a process that is gone was signalled")
	}
	return nil
}

// adopted children are not known before the test reads their ids, which may be after their end.
func adopted(r *Reaper) error {
	done := r.Adopting()
	pid, err := syscall.ForkExec("/bin/sh", []string{"sh", "-c", "exit 7"}, &syscall.ProcAttr{Files: []uintptr{0, 1, 2}})
	if err != nil {
		return err
	}
	// Another child that ends later proves that the first one was reaped.
	other, err := sh(r, "while kill -0 "+strconv.Itoa(pid)+" 2>/dev/null; do :; done")
	if err != nil {
		return err
	}
	<-other.Done()
	child := r.Adopt(pid)
	done()
	<-child.Done()
	if got := child.Status().ExitStatus(); got != 7 {
		return errors.New("exit " + strconv.Itoa(got))
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.unclaimed) != 0 || len(r.children) != 0 {
		return errors.New("something is remembered")
	}
	return nil
}
