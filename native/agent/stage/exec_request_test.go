package stage

import (
	"errors"
	"reflect"
	"strings"
	"syscall"
	"testing"

	"a3s.dev/box/agent/linux"
	"a3s.dev/box/agent/users"
)

var sampleRequest = &ExecRequest{
	Main: true, Init: true, Args: []string{"a", ""}, Env: []string{"A=b"}, Cwd: "/", User: "u", Terminal: true, Stdin: true, Rows: 1, Columns: 2,
	Capabilities: 1 << 40, NoNewPrivileges: true, Filter: []linux.Instruction{{Code: 1, Jt: 2, Jf: 3, K: 4}},
	Limits: []Limit{{7, 1 << 10, 1 << 20}}, FilterFlags: 6, Groups: []string{"audio", "42"}, GroupsPolicy: users.Strict, OOMScore: -500,
}

func TestAnExecRequestArrivesAsItWasGiven(t *testing.T) {
	got, err := decodeRequest(sampleRequest.encode(nil))
	if err != nil || !reflect.DeepEqual(got, sampleRequest) {
		t.Errorf("got %+v, %v", got, err)
	}
}

func TestAnExecRequestThatIsCutShortIsRefused(t *testing.T) {
	whole := sampleRequest.encode(nil)
	for length := range whole {
		if _, err := decodeRequest(whole[:length]); err == nil {
			t.Errorf("%d of %d bytes were taken", length, len(whole))
		}
	}
	if _, err := decodeRequest(append(whole, 0)); err == nil {
		t.Error("trailing bytes were taken")
	}
}

func TestAnExecRequestArrivesWithItsPlace(t *testing.T) {
	long := *sampleRequest
	long.Env = []string{"A=" + strings.Repeat("x", MaxMessage)}
	for name, c := range map[string]struct {
		request         *ExecRequest
		network, cgroup bool
	}{
		"a short request": {sampleRequest, false, false}, "a short request in another network": {sampleRequest, true, false},
		"a long request": {&long, false, false}, "a long request in another network": {&long, true, false},
		"a request in a cgroup": {sampleRequest, false, true}, "a request in a cgroup and another network": {&long, true, true},
	} {
		t.Run(name, func(t *testing.T) {
			pair, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_SEQPACKET|syscall.SOCK_CLOEXEC, 0)
			if err != nil {
				t.Fatal(err)
			}
			defer syscall.Close(pair[1])
			sent := Place{-1, -1}
			if c.network {
				sent.Network = pair[1]
			}
			if c.cgroup {
				sent.Cgroup = syscall.Stderr
			}
			if err := c.request.Send(pair[0], sent, nil); err != nil {
				t.Fatal(err)
			}
			got, place, err := receive(pair[1])
			if err != nil || !reflect.DeepEqual(got, c.request) || !isSame(t, place.Network, sent.Network) || !isSame(t, place.Cgroup, sent.Cgroup) {
				t.Fatalf("got %+v, %+v, %v", got, place, err)
			}
			for _, fd := range []int{place.Network, place.Cgroup} {
				if fd >= 0 {
					syscall.Close(fd)
				}
			}
			syscall.Close(pair[0])
			if got, _, err := receive(pair[1]); got != nil || err != nil {
				t.Errorf("after the end: got %+v, %v", got, err)
			}
		})
	}
}

// isSame says whether two descriptors are of the same file, or both none.
func isSame(t *testing.T, a, b int) bool {
	t.Helper()
	if a < 0 || b < 0 {
		return a < 0 && b < 0
	}
	var first, second syscall.Stat_t
	if err := errors.Join(syscall.Fstat(a, &first), syscall.Fstat(b, &second)); err != nil {
		t.Fatal(err)
	}
	return first.Dev == second.Dev && first.Ino == second.Ino
}

func TestTheWarmUpSucceedsWithoutAccountsAndPrograms(t *testing.T) {
	if err := warmUp(); err != nil {
		t.Error(err)
	}
}

func TestTheLastVariableOfANameWinsAndHomeIsFilled(t *testing.T) {
	for name, c := range map[string]struct {
		entries []string
		want    []string
	}{
		"the last of a name wins": {[]string{"A=1", "B=2", "A=3", "HOME=/x"}, []string{"A=3", "B=2", "HOME=/x"}},
		"HOME is added":           {[]string{"A=1"}, []string{"A=1", "HOME=/home"}},
		"an empty HOME is filled": {[]string{"HOME="}, []string{"HOME=/home"}},
	} {
		if got := environment(c.entries, "/home"); !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s: got %q", name, got)
		}
	}
}
