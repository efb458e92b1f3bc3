package stats

import (
	"reflect"
	"strings"
	"testing"
)

func TestCountersAreRead(t *testing.T) {
	got := parseCounters("anon 12\nfile 0\n\nno\nbad x\n neither 1\nlast 18446744073709551615")
	if want := []Counter{{"anon", 12}, {"file", 0}, {"last", 1<<64 - 1}}; !reflect.DeepEqual(got, want) {
		t.Errorf("got %v", got)
	}
	if Value(got, "anon") != 12 || Value(got, "none") != 0 {
		t.Errorf("got %d, %d", Value(got, "anon"), Value(got, "none"))
	}
}

func TestCountersOfDevicesAreRead(t *testing.T) {
	got := parseIO("254:0 rbytes=1 wbytes=2 rios=3 wios=4 dbytes=5 dios=6\n254:16 \n8:1 rbytes=x wios=7\n")
	want := []IODevice{{"254:0", 1, 2, 3, 4}, {Device: "8:1", Writes: 7}}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %v", got)
	}
	if many := parseIO(strings.Repeat("1:1 rbytes=1\n", 2*maxIODevices)); len(many) != maxIODevices {
		t.Errorf("got %d devices", len(many))
	}
}

func TestCountersOfNetworksAreRead(t *testing.T) {
	const head = "Inter-|   Receive                                                |  Transmit\n face |bytes    packets errs drop\n"
	got := parseNetworks(head + "    lo: 9 9 9 9 9 9 9 9 9 9 9 9 9 9 9 9\n  eth0:1 2 3 4 5 6 7 8 11 12 13 14 15 16 17 18\n short: 1 2\n")
	want := []NetworkDevice{{"eth0", NetworkCounters{1, 2, 3, 4}, NetworkCounters{11, 12, 13, 14}}}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %v", got)
	}
	if many := parseNetworks(strings.Repeat("x: "+strings.Repeat("1 ", 16)+"\n", 2*maxNetworks)); len(many) != maxNetworks {
		t.Errorf("got %d devices", len(many))
	}
}

func TestProcessorsAreCounted(t *testing.T) {
	for list, want := range map[string]int{"0": 1, "0-3": 4, "0-1,3,5-6": 5, "": 0, "x": 0, "3-1": 0} {
		if got := countCPUs(list); got != want {
			t.Errorf("%q: got %d", list, got)
		}
	}
}

// FuzzCounters: what the kernel may ever say is read within bounds.
func FuzzCounters(f *testing.F) {
	f.Add("anon 1\n254:0 rbytes=1\neth0: 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16\n")
	f.Fuzz(func(t *testing.T, content string) {
		parseCounters(content)
		if len(parseIO(content)) > maxIODevices || len(parseNetworks(content)) > maxNetworks {
			t.Fatal("more than there may be")
		}
	})
}
