package box

import (
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// What the guest is prepared for is what the host asks for: otherwise it is right, and slow.
func TestAGuestIsPreparedForWhatTheHostAsksFor(t *testing.T) {
	source := func(path string) string {
		text, err := os.ReadFile(filepath.Join("../../../src", path))
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	confinement := source("boxes/create/confinement.ts")
	for field, want := range map[string][]string{
		"capabilities": expectedCapabilities, "maskedPaths": expectedProtection.masked, "readonlyPaths": expectedProtection.readonly,
	} {
		list := regexp.MustCompile(`(?s)` + field + `: \[(.*?)\]`).FindStringSubmatch(confinement)
		if list == nil {
			t.Fatalf("%s is not in the source", field)
		}
		var got []string
		for _, entry := range regexp.MustCompile(`'([^']*)'`).FindAllStringSubmatch(list[1], -1) {
			got = append(got, entry[1])
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%s: the host asks for %q, and the guest is prepared for %q", field, got, want)
		}
	}
	network := strings.ReplaceAll(source("engine/network.ts"), "_", "")
	for field, want := range map[string]string{
		"address": "'" + expectedAddress + "'", "gateway": "'" + expectedGateway + "'", "nameserver": "'" + expectedNameservers[0] + "'",
		"prefixLength": strconv.FormatInt(expectedPrefixLength, 10), "mtu": strconv.FormatInt(expectedMTU, 10),
	} {
		if !strings.Contains(network, field+": "+want+",") {
			t.Errorf("%s: the host does not ask for %s", field, want)
		}
	}
	if !strings.Contains(source("engine/engine.ts"), "changes: '"+expectedSerial+"'") {
		t.Errorf("the disk of changes is not %q", expectedSerial)
	}
}

func TestAGuestThatIsAsleepDoesNothing(t *testing.T) {
	b := &Box{asleep: true, handles: map[string]*Handle{}}
	_, taken := b.TakeSpec([]byte(example))
	_, started := b.Start()
	_, executed := b.Exec("e", &Process{}, false)
	_, found := b.Process(MainID)
	_, counted := b.Stats()
	for verb, err := range map[string]error{
		"spec": taken, "start": started, "exec": executed, "process": found, "stats": counted, "forget": b.Forget("e"),
		"fork": b.Fork(nil, time.Time{}, "", "name", nil),
	} {
		if !errors.Is(err, ErrAsleep) {
			t.Errorf("%s: got %v", verb, err)
		}
	}
	if err := b.Prepare(); !errors.Is(err, ErrPrepared) {
		t.Errorf("prepare: got %v", err)
	}
	// It was never prepared to the end, so it cannot be woken.
	if err := b.Wake(nil, time.Time{}, ""); !errors.Is(err, ErrNotAsleep) || !b.Asleep() {
		t.Errorf("wake: got %v", err)
	}
	if id, err := b.BootID(); id != "" || err != nil {
		t.Errorf("boot id: got %q, %v", id, err)
	}
}

func TestAGuestThatIsAwakeIsNotWoken(t *testing.T) {
	b := &Box{handles: map[string]*Handle{}}
	if err := b.Wake(nil, time.Time{}, ""); !errors.Is(err, ErrNotAsleep) {
		t.Errorf("got %v", err)
	}
	if id, err := b.BootID(); len(id) != 36 || err != nil {
		t.Errorf("boot id: got %q, %v", id, err)
	}
}

func TestOnlyAGuestWhoseMainRunsIsForked(t *testing.T) {
	b := &Box{handles: map[string]*Handle{}}
	if err := b.Fork(nil, time.Time{}, "", "name", nil); !errors.Is(err, ErrSpecMissing) {
		t.Errorf("without a spec: got %v", err)
	}
	b.ready = true
	b.handles[MainID] = NewHandle(MainID)
	if err := b.Fork(nil, time.Time{}, "", "name", nil); !errors.Is(err, ErrNotRunning) {
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

func TestPathsAreProtectedWhereTheyAre(t *testing.T) {
	p := protection{readonly: []string{"/proc/bus", "/etc/x", "/proc"}, masked: []string{"/sys/firmware", "/sys/../etc/x", "/system/x"}}
	if got, want := p.below("/proc", "/sys"), (protection{[]string{"/proc/bus"}, []string{"/sys/firmware"}}); !got.equal(want) {
		t.Errorf("below: got %v", got)
	}
	want := protection{[]string{"/etc/x", "/proc"}, []string{"/sys/../etc/x", "/system/x"}}
	if got := p.outside("/proc", "/sys"); !got.equal(want) {
		t.Errorf("outside: got %v", got)
	}
}

func TestBootIDsAreRandomUUIDs(t *testing.T) {
	seen := map[string]bool{}
	for range 100 {
		id, err := newBootID()
		if err != nil || seen[id] || !regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`).MatchString(id) {
			t.Fatalf("got %q, %v", id, err)
		}
		seen[id] = true
	}
}

func TestATextIsReplaced(t *testing.T) {
	file, err := os.OpenFile(filepath.Join(t.TempDir(), "text"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	text := &text{file: file}
	for _, content := range []string{"one\n", "two\n", "a longer one\n", "short\n", "", "\n", "boxed\n", "boxed\n"} {
		// A box writes to what is its own.
		if text.theirs = content == "boxed\n"; text.theirs {
			if err := os.WriteFile(file.Name(), []byte("much longer than what was set\n"), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if err := text.set(content); err != nil {
			t.Fatal(err)
		}
		if got, err := os.ReadFile(file.Name()); string(got) != content || err != nil {
			t.Errorf("got %q, %v", got, err)
		}
	}
	if err := text.close(); err != nil {
		t.Fatal(err)
	}
	if err := text.set("x"); !errors.Is(err, syscall.EBADF) {
		t.Errorf("closed: got %v", err)
	}
}

func TestMACAddresses(t *testing.T) {
	if got := parseMAC("02:0a:ff:00:10:99"); got != [6]byte{2, 10, 255, 0, 16, 153} {
		t.Errorf("got %v", got)
	}
}
