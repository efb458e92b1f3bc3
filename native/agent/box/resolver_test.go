package box_test

import (
	"context"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"

	"a3s.dev/box/agent/box"
)

// resolverPort is where the DNS server listens; what leads queries there is tested in package
// redirect.
const resolverPort = "127.0.0.11:65053"

// lookUp resolves a name as a program of the box does.
func (h *host) lookUp(network, name string) (found []string, err error) {
	resolver := net.Resolver{PreferGo: true, Dial: func(context.Context, string, string) (net.Conn, error) {
		return box.DialInBox(h.box, network, resolverPort)
	}}
	found, err = resolver.LookupHost(context.Background(), name)
	slices.Sort(found)
	return found, err
}

func (h *host) putNetworks(hosts string) {
	h.t.Helper()
	document := `{"cards":[],"nameservers":["127.0.0.99"],"search":[],"options":["ndots:0"]` + hosts + `}`
	if status, text := h.call("PUT", "/v1/networks", strings.NewReader(document)); status != http.StatusNoContent {
		h.t.Fatalf("got %d %s", status, text)
	}
}

func TestABoxWithLinksHasADNSServerThatKnowsThem(t *testing.T) {
	h := start(t, document)
	resolver := func(id string) string {
		text, _ := h.run(id, script("cat /etc/resolv.conf"))
		return text
	}
	const own, agents = "nameserver 127.0.0.99\noptions ndots:0\n", "nameserver 127.0.0.11\noptions ndots:0\n"
	// A host that does not know of the server has the names in files alone.
	h.version = "16"
	h.putNetworks(`,"hosts":[{"name":"db","address":"10.1.0.3"}]`)
	if got := resolver("a"); got != own {
		t.Errorf("before version 17: got %q", got)
	}
	h.version = "17"
	h.putNetworks("")
	if got := resolver("b"); got != own {
		t.Errorf("without links: got %q", got)
	}
	if _, err := box.DialInBox(h.box, "tcp4", resolverPort); err == nil {
		t.Error("a box without links has a DNS server")
	}
	// Links whose boxes do not run yet.
	h.putNetworks(`,"hosts":[]`)
	if got := resolver("c"); got != agents {
		t.Errorf("with links: got %q", got)
	}
	h.putNetworks(`,"hosts":[{"name":"db","address":"10.1.0.3"},{"name":"db","address":"fd00::3"}]`)
	for _, network := range []string{"udp4", "tcp4"} {
		if found, err := h.lookUp(network, "DB."); err != nil || !slices.Equal(found, []string{"10.1.0.3", "fd00::3"}) {
			t.Errorf("by %s: got %v, %v", network, found, err)
		}
	}
	h.putNetworks(`,"hosts":[{"name":"db","address":"10.1.0.9"}]`)
	if found, err := h.lookUp("udp4", "db."); err != nil || !slices.Equal(found, []string{"10.1.0.9"}) {
		t.Errorf("with another address: got %v, %v", found, err)
	}
	// All else is asked of the box's name server, in the box's network.
	server, err := box.ListenPacketInBox(h.box, "127.0.0.99:53")
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	go func() {
		buffer := make([]byte, 512)
		for {
			n, client, err := server.ReadFrom(buffer)
			if err != nil {
				return
			}
			// There is no such name.
			buffer[2], buffer[3] = 0x81, 0x83
			_, _ = server.WriteTo(buffer[:n], client)
		}
	}()
	if _, err := h.lookUp("udp4", "other."); err == nil || !strings.Contains(err.Error(), "no such host") {
		t.Errorf("another name: %v", err)
	}
	// The server goes on for programs that keep it in mind, without the names.
	h.putNetworks("")
	if got := resolver("d"); got != own {
		t.Errorf("without links again: got %q", got)
	}
	if _, err := h.lookUp("udp4", "db."); err == nil || !strings.Contains(err.Error(), "no such host") {
		t.Errorf("a name that is gone: %v", err)
	}
}

func TestADNSServerTakesAnotherPortWhereABoxHasOneInUse(t *testing.T) {
	h := start(t, document)
	h.version = "17"
	taken, err := box.ListenPacketInBox(h.box, resolverPort)
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	h.putNetworks(`,"hosts":[]`)
	conn, err := box.DialInBox(h.box, "tcp4", "127.0.0.11:65052")
	if err != nil {
		t.Fatal(err)
	}
	_ = conn.Close()
}

func TestAResolverFileThatTheBoxHasChangedStays(t *testing.T) {
	h := start(t, document)
	h.version = "17"
	h.putNetworks("")
	h.run("a", script("echo '# mine' >/etc/resolv.conf"))
	h.putNetworks(`,"hosts":[{"name":"db","address":"10.1.0.3"}]`)
	if text, _ := h.run("b", script("cat /etc/resolv.conf; grep db /etc/hosts")); text != "# mine\n10.1.0.3\tdb\n" {
		t.Errorf("got %q", text)
	}
	if found, err := h.lookUp("udp4", "db."); err != nil || len(found) != 1 {
		t.Errorf("the server is not there: %v, %v", found, err)
	}
}
