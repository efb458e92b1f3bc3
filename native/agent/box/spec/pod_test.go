package spec

import (
	"slices"
	"strings"
	"testing"
)

const examplePod = `{"schema":"a3s-box/pod-spec/v1","hostname":"pod1","network":{"kind":"nic","mac":"52:54:00:12:34:56","mtu":1500,
"address":"10.0.2.15","prefixLength":24,"gateway":"10.0.2.2","nameservers":["10.0.2.3"],"search":["a.b"],
"ipv6":{"address":"fd00::15","prefixLength":64,"router":"fe80::1","routerMac":"9a:55:9a:55:9a:55"}},
"hosts":[{"name":"db","address":"10.0.0.1"}],"resources":{"memoryBytes":1},"shmBytes":4096,"domainname":"example.com",
"sysctls":[{"path":"net/core/somaxconn","value":"99"}],"privileged":false}`

const exampleContainer = `{"schema":"a3s-box/container-spec/v1","rootfs":{"layers":[{"serial":"c1-l0"}],"changes":{"kind":"disk","serial":"c1-changes"},
"readonly":true},"process":{"args":["sh"],"env":["PATH=/bin"],"cwd":"/","user":"app","terminal":false,"stdin":false},
"mounts":[{"kind":"virtiofs","tag":"c1-m0","destination":"/data","readonly":true}],
"confinement":{"capabilities":[],"noNewPrivileges":true,"seccomp":"default","maskedPaths":[],"readonlyPaths":[]},
"resources":{"pids":3,"ulimits":[{"name":"nofile","soft":6,"hard":-1}]},"init":true,"directories":["/x"],
"tmpfs":[{"destination":"/t","readonly":false,"sizeBytes":0,"flags":[]}]}`

func TestAContainerHasTheNamesAndTheNetworkOfItsPod(t *testing.T) {
	pod, err := ParsePod([]byte(examplePod))
	if err != nil {
		t.Fatal(err)
	}
	if !pod.Pod || *pod.ShmBytes != 4096 || *pod.Resources.MemoryBytes != 1 || (*pod.Sysctls)[0].Value != "99" || !slices.Equal(pod.Uses(), []string{UseNIC}) {
		t.Errorf("got %+v", pod)
	}
	c, err := ParseContainer([]byte(exampleContainer), pod)
	if err != nil {
		t.Fatal(err)
	}
	if c.Pod || c.Hostname != "pod1" || *c.Domainname != "example.com" || (*c.Hosts)[0].Name != "db" || *c.Network.Address != "10.0.2.15" || c.Network.IPv6.Address != "fd00::15" ||
		c.ShmBytes != nil || c.Sysctls != nil || !*c.Init || *c.Resources.Pids != 3 || (*c.Directories)[0] != "/x" || (*c.Tmpfs)[0].Destination != "/t" ||
		!slices.Equal(c.Serials(), []string{"c1-l0", "c1-changes"}) {
		t.Errorf("got %+v", c)
	}
}

func TestDriversOfAPrivilegedPodAreLoadedBeforeItsContainersCome(t *testing.T) {
	pod, err := ParsePod([]byte(strings.Replace(examplePod, `"privileged":false`, `"privileged":true`, 1)))
	if err != nil || !slices.Equal(pod.Uses(), []string{UseNIC, UseTun, UseContainers}) {
		t.Errorf("got %v, %v", pod.Uses(), err)
	}
	if _, err := ParseContainer([]byte(strings.Replace(exampleContainer, `"readonlyPaths":[]`, `"readonlyPaths":[],"privileged":true`, 1)), pod); err != nil {
		t.Error(err)
	}
}

func TestParsePodAndContainerRefuse(t *testing.T) {
	pod, err := ParsePod([]byte(examplePod))
	if err != nil {
		t.Fatal(err)
	}
	readPod := func(data []byte) error { _, err := ParsePod(data); return err }
	readContainer := func(data []byte) error { _, err := ParseContainer(data, pod); return err }
	for name, c := range map[string]struct {
		read                      func([]byte) error
		example, old, new, reason string
	}{
		"a box for a pod":        {readPod, examplePod, "pod-spec", "box-spec", "schema: must be a3s-box/pod-spec/v1"},
		"a bad host name":        {readPod, examplePod, `"pod1"`, `"-"`, "hostname: is not a host name"},
		"a pod's ulimits":        {readPod, examplePod, `"memoryBytes":1`, `"ulimits":[]`, "resources.ulimits: belongs to containers"},
		"a pod's process":        {readPod, examplePod, `"hostname"`, `"process":{},"hostname"`, `unknown key "process"`},
		"a setting of the guest": {readPod, examplePod, "net/core/somaxconn", "vm/overcommit_memory", "sysctls"},
		"another spelling":       {readPod, examplePod, "fd00::15", "fd00:0::15", "network.ipv6.address: is not the IPv6 address of a host"},
		"a prefix of one host":   {readPod, examplePod, `"prefixLength":64`, `"prefixLength":128`, "network.ipv6.prefixLength: must be from 8 to 126"},
		"a router that is far":   {readPod, examplePod, "fe80::1", "fd00::1", "network.ipv6.router: is not a link-local IPv6 address"},
		"a router of no device":  {readPod, examplePod, "9a:55:9a:55:9a:55", "9a", "network.ipv6.routerMac: is not a MAC address in lower case"},
		"an MTU below IPv6's":    {readPod, examplePod, `"mtu":1500`, `"mtu":1279`, "network.mtu: is too small for IPv6"},
		"IPv6 without a network": {readPod, examplePod, `"kind":"nic"`, `"kind":"none"`, "network: has keys that do not belong to none"},
		"a pod for a container":  {readContainer, exampleContainer, "container-spec", "pod-spec", "schema: must be a3s-box/container-spec/v1"},
		"a container's network":  {readContainer, exampleContainer, `"mounts"`, `"network":{"kind":"none"},"mounts"`, `unknown key "network"`},
		"a container's volume": {readContainer, exampleContainer, `"kind":"virtiofs","tag":"c1-m0"`, `"kind":"disk","serial":"v"`,
			"mounts[0].kind: must be virtiofs or image in a container"},
		"a PID namespace of no kind": {readContainer, exampleContainer, `"mounts"`, `"pids":{"kind":"node"},"mounts"`, "pids.kind: must be pod or container"},
		"another container without its id": {readContainer, exampleContainer, `"mounts"`, `"pids":{"kind":"container"},"mounts"`,
			"pids.id: belongs to the kind container"},
		"an init in a shared PID namespace": {readContainer, exampleContainer, `"mounts"`, `"pids":{"kind":"pod"},"mounts"`,
			"init: must be false in a PID namespace that is shared"},
		"more than its pod": {readContainer, exampleContainer, `"readonlyPaths":[]`, `"readonlyPaths":[],"privileged":true`,
			"confinement.privileged: must be false in a pod that is not privileged"},
	} {
		err := c.read([]byte(strings.Replace(c.example, c.old, c.new, 1)))
		if err == nil || !strings.Contains(err.Error(), c.reason) {
			t.Errorf("%s: got %v, want %s", name, err, c.reason)
		}
	}
}
