package box

import (
	"errors"
	"testing"
	"time"

	"a3s.dev/box/agent/box/process"
	"a3s.dev/box/agent/box/spec"
)

func TestAPausedGuestDoesNothing(t *testing.T) {
	b := &Box{paused: true, handles: map[string]*process.Handle{}}
	_, taken := b.TakeSpec([]byte(minimalSpec))
	_, started := b.Start()
	_, executed := b.Exec("e", &spec.Process{}, ExecOptions{})
	_, found := b.Process(MainID)
	_, counted := b.Stats()
	for verb, err := range map[string]error{
		"spec": taken, "start": started, "exec": executed, "process": found, "stats": counted, "forget": b.Forget("e"),
		"fork": b.Fork(nil, time.Time{}, "", "name", nil),
	} {
		if !errors.Is(err, ErrPaused) {
			t.Errorf("%s: got %v", verb, err)
		}
	}
	if err := b.Prepare(); !errors.Is(err, ErrPrepared) {
		t.Errorf("prepare: got %v", err)
	}
	// It was never prepared to the end, so it cannot be reseeded.
	if err := b.Reseed(nil, time.Time{}, ""); !errors.Is(err, ErrNotPaused) || !b.Paused() {
		t.Errorf("reseed: got %v", err)
	}
	if id, err := b.BootID(); id != "" || err != nil {
		t.Errorf("boot id: got %q, %v", id, err)
	}
}

func TestARunningGuestIsNotResumed(t *testing.T) {
	b := &Box{handles: map[string]*process.Handle{}}
	if err := b.Reseed(nil, time.Time{}, ""); !errors.Is(err, ErrNotPaused) {
		t.Errorf("got %v", err)
	}
	if id, err := b.BootID(); len(id) != 36 || err != nil {
		t.Errorf("boot id: got %q, %v", id, err)
	}
}

func TestOnlyAGuestWhoseMainRunsIsForked(t *testing.T) {
	b := &Box{handles: map[string]*process.Handle{}}
	if err := b.Fork(nil, time.Time{}, "", "name", nil); !errors.Is(err, ErrSpecMissing) {
		t.Errorf("without a spec: got %v", err)
	}
	b.ready = true
	b.handles[MainID] = process.New(MainID)
	if err := b.Fork(nil, time.Time{}, "", "name", nil); !errors.Is(err, process.ErrNotRunning) {
		t.Errorf("before the start: got %v", err)
	}
	mac := "02:00:00:00:00:0G"
	if err := b.Fork(nil, time.Time{}, "", "name", &mac); err == nil || err.Error() != "mac: is not a MAC address in lower case" {
		t.Errorf("got %v", err)
	}
	if err := b.Fork(nil, time.Time{}, "", "a b", nil); err == nil || err.Error() != "hostname: is not a host name" {
		t.Errorf("got %v", err)
	}
}

// minimalSpec is a spec that is accepted.
const minimalSpec = `{"schema":"a3s-box/box-spec/v1","hostname":"box1","rootfs":{"layers":[{"serial":"layer-0"}],
"changes":{"kind":"memory"},"readonly":false},"process":{"args":["sh"],"env":[],"cwd":"/","user":"","terminal":false,"stdin":false},
"mounts":[],"network":{"kind":"none"},"confinement":{"capabilities":[],"noNewPrivileges":true,"seccomp":"default","maskedPaths":[],
"readonlyPaths":[]},"resources":{}}`
