package rootfs

import (
	"testing"

	"a3s.dev/box/agent/box/spec"
)

func TestLinesOfLinkedBoxesReplaceThoseBefore(t *testing.T) {
	before := linkedLines(&[]spec.Host{{Name: "db", Address: "10.1.0.3"}, {Name: "cache", Address: "10.1.0.4"}})
	after := linkedLines(&[]spec.Host{{Name: "db", Address: "10.1.0.9"}})
	const own = "127.0.0.1\tlocalhost\n10.1.0.3\tdb # of the box\n10.1.0.3\tdb\n"
	with := replaceLines(own, nil, before)
	if want := own + "10.1.0.3\tdb\n10.1.0.4\tcache\n"; with != want {
		t.Errorf("got %q, want %q", with, want)
	}
	// One line of two equal ones goes: the box has written the other.
	if got, want := replaceLines(with, before, after), "127.0.0.1\tlocalhost\n10.1.0.3\tdb # of the box\n10.1.0.3\tdb\n10.1.0.9\tdb\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if got := replaceLines("10.1.0.7\tbox", nil, after); got != "10.1.0.7\tbox\n10.1.0.9\tdb\n" {
		t.Errorf("got %q", got)
	}
	if got := replaceLines(with, before, before); got != with {
		t.Errorf("got %q", got)
	}
	if lines := linkedLines(nil); lines != nil {
		t.Errorf("got %q", lines)
	}
}

func TestOtherNetworksMoveTheirLinesOfHostsAlone(t *testing.T) {
	// The host of a confidential box may choose an address that its launch spec has a name for.
	const content = "127.0.0.1\tlocalhost\n10.1.0.2\tdb\n10.1.0.2\tbox1.example.com box1\n# of the box\n10.1.0.20\tother"
	domain := "example.com"
	got := moveHosts(content, HostNames("box1", &domain), []string{"10.2.0.3"}, []string{"10.1.0.2"})
	want := "127.0.0.1\tlocalhost\n10.1.0.2\tdb\n# of the box\n10.1.0.20\tother\n10.2.0.3\tbox1.example.com box1\n"
	if got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if got := moveHosts("", HostNames("box1", nil), []string{"10.2.0.3"}, nil); got != "10.2.0.3\tbox1\n" {
		t.Errorf("got %q", got)
	}
}
