package stats

import (
	"reflect"
	"strings"
	"testing"
)

func statOf(name string) string {
	return "7 (" + name + ") S 1 7 7 34818 7 4194560 0 0 0 0 150 50 0 0 20 -5 3 0 1234 8192 2 18446744073709551615 1 1 0"
}

func TestAProcessIsRead(t *testing.T) {
	for _, name := range []string{"sh", "a) R 0 (b", "", ") ", "\x80\n"} {
		entry, started, ok := parseStat(statOf(name))
		want := ProcessEntry{
			Pid: 7, PPid: 1, State: "S", Terminal: "pts/2", Nice: -5, Threads: 3, CPUUsec: 2_000_000, Virtual: 8192, Resident: 8192, Name: name,
		}
		if !ok || started != 1234 || !reflect.DeepEqual(entry, want) {
			t.Errorf("%q: got %+v, %d, %v", name, entry, started, ok)
		}
	}
	for _, text := range []string{"", "7 (sh", "7 (sh) S 1", strings.Replace(statOf("sh"), "7 (", "x (", 1), strings.Replace(statOf("sh"), ") S", ") SS", 1)} {
		if _, _, ok := parseStat(text); ok {
			t.Errorf("%q was read", text)
		}
	}
}

func TestTerminalsHaveTheirNames(t *testing.T) {
	for number, want := range map[int64]string{0: "", 136 << 8: "pts/0", 136<<8 | 5: "pts/5", 136<<8 | 1<<20 | 1: "pts/257", 5<<8 | 1: "console", 4<<8 | 1: "tty1", 4<<8 | 64: "", -1: ""} {
		if got := terminalName(number); got != want {
			t.Errorf("%d: got %q, want %q", number, got, want)
		}
	}
}

func TestOwnersAreTheEffectiveOnes(t *testing.T) {
	uid, gid := parseOwner("Name:\tUid: 5\nUid:\t1\t2\t3\t4\nGid:\t5\t4294967295\t7\t8\n")
	if uid != 2 || gid != 1<<32-1 {
		t.Errorf("got %d, %d", uid, gid)
	}
}

func TestArgumentsAreBounded(t *testing.T) {
	for content, want := range map[string][]string{"": {}, "\x00": {}, "sh\x00": {"sh"}, "a\x00\x00b\x00": {"a", "", "b"}, "title": {"title"}} {
		if got := parseArgs([]byte(content)); !reflect.DeepEqual(got, want) {
			t.Errorf("%q: got %q", content, got)
		}
	}
	got := parseArgs([]byte(strings.Repeat(strings.Repeat("x", maxArg+1)+"\x00", maxArgs+1)))
	if len(got) != maxArgs || len(got[0]) != maxArg {
		t.Errorf("got %d of %d bytes", len(got), len(got[0]))
	}
}

// FuzzStat: whatever the name of a process is, its entry is within bounds.
func FuzzStat(f *testing.F) {
	f.Add(statOf("sh"), []byte("a\x00b"))
	f.Fuzz(func(t *testing.T, text string, args []byte) {
		parseOwner(text)
		if len(parseArgs(args)) > maxArgs {
			t.Fatal("too many arguments")
		}
		entry, _, ok := parseStat(text)
		if ok && (entry.Pid < 1 || len(entry.State) != 1 || entry.Nice < -20 || entry.Nice > 19 || entry.Threads < 0) {
			t.Fatalf("%+v", entry)
		}
	})
}
