package rootfs

import "testing"

func TestOtherNetworksMoveTheirLinesOfHostsAlone(t *testing.T) {
	const content = "127.0.0.1\tlocalhost\n10.1.0.2\tbox1\n# of the box\n10.1.0.20\tother"
	domain := "example.com"
	got := moveHosts(content, HostNames("box1", &domain), []string{"10.2.0.3"}, []string{"10.1.0.2"})
	want := "127.0.0.1\tlocalhost\n# of the box\n10.1.0.20\tother\n10.2.0.3\tbox1.example.com box1\n"
	if got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if got := moveHosts("", HostNames("box1", nil), []string{"10.2.0.3"}, nil); got != "10.2.0.3\tbox1\n" {
		t.Errorf("got %q", got)
	}
}
