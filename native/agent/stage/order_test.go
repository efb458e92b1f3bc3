package stage

import (
	"reflect"
	"testing"

	"a3s.dev/box/agent/linux"
)

var sampleOrder = &Order{
	Main: true, Args: []string{"a", ""}, Env: []string{"A=b"}, Cwd: "/", User: "u", Terminal: true, Stdin: true, Rows: 1, Columns: 2,
	Capabilities: 1 << 40, NoNewPrivileges: true, Filter: []linux.Instruction{{Code: 1, Jt: 2, Jf: 3, K: 4}},
	Limits: []Limit{{7, 1 << 20}},
}

func TestAnOrderArrivesAsItWasGiven(t *testing.T) {
	got, err := decodeOrder(sampleOrder.encode())
	if err != nil || !reflect.DeepEqual(got, sampleOrder) {
		t.Errorf("got %+v, %v", got, err)
	}
}

func TestAnOrderThatIsCutShortIsRefused(t *testing.T) {
	whole := sampleOrder.encode()
	for length := range whole {
		if _, err := decodeOrder(whole[:length]); err == nil {
			t.Errorf("%d of %d bytes were taken", length, len(whole))
		}
	}
	if _, err := decodeOrder(append(whole, 0)); err == nil {
		t.Error("trailing bytes were taken")
	}
}

func TestEnvironment(t *testing.T) {
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
