package rootfs

import (
	"strings"
	"testing"

	"a3s.dev/box/agent/box/spec"
)

func TestFilesOfTheNetworkAreWrittenFromTheSpec(t *testing.T) {
	address, nameservers, search := "10.0.2.15", []string{"10.0.2.3"}, []string{"a.b"}
	network := spec.Network{Kind: spec.NetworkNIC, Address: &address, Nameservers: &nameservers, Search: &search}
	if got, want := resolvConf(&network), "nameserver 10.0.2.3\nsearch a.b\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	network.Options = &[]string{"ndots:0", "rotate"}
	if got, want := resolvConf(&network), "nameserver 10.0.2.3\nsearch a.b\noptions ndots:0 rotate\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	domain := "example.com"
	if got := hosts("box1", &spec.Spec{Domainname: &domain, Network: network}); !strings.HasSuffix(got, "\n10.0.2.15\tbox1.example.com box1\n") {
		t.Errorf("got %q", got)
	}
	box := &spec.Spec{Network: network, Hosts: &[]spec.Host{{Name: "db", Address: "10.1.2.3"}, {Name: "six", Address: "fd00::1"}}}
	if got := hosts("box1", box); !strings.HasSuffix(got, "\n10.1.2.3\tdb\nfd00::1\tsix\n10.0.2.15\tbox1\n") {
		t.Errorf("got %q", got)
	}
	box.Network.IPv6 = &spec.IPv6{Address: "fd00::15"}
	if got := hosts("pod1", box); !strings.HasSuffix(got, "\n10.0.2.15\tpod1\nfd00::15\tpod1\n") {
		t.Errorf("got %q", got)
	}
	box.Network = spec.Network{Kind: spec.NetworkNone}
	if got := hosts("box1", box); !strings.HasSuffix(got, "\nfd00::1\tsix\n") {
		t.Errorf("got %q", got)
	}
}

// specOfNetwork is a spec but for its host name, an address, a name server, a search domain, an
// option of the resolver and a host.
const specOfNetwork = `{"schema":"a3s-box/box-spec/v1","hostname":HOSTNAME,"rootfs":{"layers":[{"serial":"layer-0"}],
"changes":{"kind":"memory"},"readonly":false},"process":{"args":["sh"],"env":[],"cwd":"/","user":"","terminal":false,"stdin":false},
"mounts":[],"network":{"kind":"nic","mac":"52:54:00:12:34:56","mtu":1500,"address":ADDRESS,"prefixLength":24,"gateway":"10.0.2.2",
"nameservers":[NAMESERVER],"search":[SEARCH],"options":[OPTION]},"hosts":[{"name":HOST,"address":ADDRESS}],
"confinement":{"capabilities":[],"noNewPrivileges":true,"seccomp":"default","maskedPaths":[],"readonlyPaths":[]},"resources":{}}`

// FuzzFilesOfTheNetwork: no spec that is accepted forges a line of the files.
func FuzzFilesOfTheNetwork(f *testing.F) {
	f.Add(`"box1"`, `"10.0.2.15"`, `"10.0.2.3"`, `"a.b"`, `"ndots:0"`, `"db"`)
	f.Fuzz(func(t *testing.T, hostname, address, nameserver, search, option, host string) {
		document := strings.NewReplacer("HOSTNAME", hostname, "ADDRESS", address, "NAMESERVER", nameserver, "SEARCH", search, "OPTION", option, "HOST", host).Replace(specOfNetwork)
		spec, err := spec.Parse([]byte(document))
		if err != nil {
			return
		}
		if strings.ContainsAny(hosts(spec.Hostname, spec), "\x00\r") || strings.ContainsAny(resolvConf(&spec.Network), "\x00\r;#") {
			t.Fatal("a file of the network can be forged")
		}
	})
}
