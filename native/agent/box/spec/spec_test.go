package spec

import (
	"reflect"
	"strings"
	"testing"
)

const example = `{"schema":"a3s-box/box-spec/v1","hostname":"box1","rootfs":{"layers":[{"serial":"layer-0"},{"serial":"layer-1"}],
"changes":{"kind":"disk","serial":"changes"},"readonly":false},"process":{"args":["sh"],"env":["PATH=/bin","A="],
"cwd":"/","user":"app:1","terminal":true,"size":{"rows":24,"columns":80},"stdin":true},
"mounts":[{"kind":"virtiofs","tag":"share-0","destination":"/data","readonly":true,"file":"a file"},
{"kind":"virtiofs","tag":"share-1","destination":"/volume","readonly":false,"fill":true},
{"kind":"disk","serial":"volume-0","destination":"/disk","readonly":true,"subpath":"a/b"},
{"kind":"disk","serial":"volume-1","destination":"/x","readonly":true},
{"kind":"disk","serial":"volume-1","destination":"/y","readonly":false},
{"kind":"image","layers":[{"serial":"image-0-0"},{"serial":"image-0-1"}],"destination":"/image","readonly":true,"subpath":"usr"}],
"network":{"kind":"nic","mac":"52:54:00:12:34:56","mtu":1500,"address":"10.0.2.15","prefixLength":24,"gateway":"10.0.2.2",
"nameservers":["10.0.2.3"],"search":["a.b"]},
"confinement":{"capabilities":["CAP_CHOWN"],"noNewPrivileges":true,"seccomp":"default","maskedPaths":["/proc/kcore"],"readonlyPaths":[],
"groups":["audio"],"groupsPolicy":"strict","oomScoreAdj":-5,"devices":["net/tun"],"deviceRules":[{"kind":"char","major":10,"access":"rw"},{"kind":"all","access":"m"}],"privileged":true},
"resources":{"memoryBytes":1,"cpuMillis":2,"pids":3,"memoryReservationBytes":4,"cpuWeight":5,
"ulimits":[{"name":"nofile","soft":6,"hard":-1},{"name":"core","soft":0,"hard":0}]},"init":true,"directories":["/data/x"],
"domainname":"example.com","sysctls":[{"path":"net/core/somaxconn","value":"99"}],
"authorities":["-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"]}`

const allowAll = `{"default":{"kind":"allow","value":0},"x86":false,"x32":false,"log":false,"specAllow":false,"rules":[]}`

func TestParseSpecReadsEveryField(t *testing.T) {
	spec, err := Parse([]byte(example))
	if err != nil {
		t.Fatal(err)
	}
	if got, want := spec.Serials(), []string{"layer-0", "layer-1", "changes", "volume-0", "volume-1", "image-0-0", "image-0-1"}; !reflect.DeepEqual(got, want) {
		t.Errorf("serials: got %v, want %v", got, want)
	}
	if got, want := spec.VolumeDisks(), []Disk{{Serial: "volume-0", Readonly: true}, {Serial: "volume-1"}}; !reflect.DeepEqual(got, want) {
		t.Errorf("disks: got %v, want %v", got, want)
	}
	if *spec.Mounts[0].File != "a file" || *spec.Mounts[2].Subpath != "a/b" || spec.Process.Size.Columns != 80 || *spec.Network.MTU != 1500 || *spec.Resources.Pids != 3 ||
		*spec.Resources.MemoryReservationBytes != 4 || *spec.Resources.CPUWeight != 5 || (*spec.Resources.Ulimits)[0].Hard != -1 || !*spec.Init ||
		(*spec.Directories)[0] != "/data/x" || spec.Mounts[0].Fills() || !spec.Mounts[1].Fills() || *spec.Confinement.OOMScore != -5 ||
		(*spec.Confinement.Groups)[0] != "audio" || *spec.Confinement.GroupsPolicy != GroupsStrict || (*spec.Confinement.Devices)[0] != "net/tun" || !spec.Confinement.IsPrivileged() ||
		*(*spec.Confinement.DeviceRules)[0].Major != 10 || (*spec.Confinement.DeviceRules)[0].Minor != nil || (*spec.Confinement.DeviceRules)[1].Access != "m" ||
		*spec.Domainname != "example.com" || (*spec.Sysctls)[0].Value != "99" || len(*spec.Authorities) != 1 {
		t.Errorf("got %+v", spec)
	}
}

func TestParseSpecRefuses(t *testing.T) {
	for name, c := range map[string]struct{ old, new, message string }{
		"another schema":              {"spec/v1", "spec/v2", "schema: must be a3s-box/box-spec/v1"},
		"a bad host name":             {`"box1"`, `"-box"`, "hostname: is not a host name"},
		"a long host name":            {`"box1"`, `"` + strings.Repeat("a", 64) + `"`, "hostname: is not a host name"},
		"no layer":                    {`[{"serial":"layer-0"},{"serial":"layer-1"}]`, `[]`, "rootfs.layers: must be from 1 to 128"},
		"a long serial":               {"layer-0", "layer-0123456789abcde", "rootfs.layers: holds a serial that is not one"},
		"a serial with a path":        {"layer-0", "../x", "rootfs.layers: holds a serial that is not one"},
		"unknown changes":             {`"kind":"disk"`, `"kind":"tape"`, "rootfs.changes.kind: must be disk or memory"},
		"memory with a serial":        {`"kind":"disk"`, `"kind":"memory"`, "rootfs.changes.serial: does not belong to memory"},
		"disk without a serial":       {`,"serial":"changes"`, ``, "rootfs.changes.serial: is not a serial"},
		"an image without layers":     {`[{"serial":"image-0-0"},{"serial":"image-0-1"}]`, `[]`, "mounts[5].layers: must be from 1 to 128"},
		"an image's odd serial":       {"image-0-1", "../x", "mounts[5].layers: holds a serial that is not one"},
		"an image with no list":       {`"layers":[{"serial":"image-0-0"},{"serial":"image-0-1"}],`, ``, "mounts[5].layers: is missing"},
		"a writable image":            {`"/image","readonly":true`, `"/image","readonly":false`, "mounts[5].readonly: must be true for an image"},
		"an image that leads out":     {`"subpath":"usr"`, `"subpath":"../usr"`, "mounts[5].subpath: is not a path below a root"},
		"an image with a serial":      {`"kind":"image",`, `"kind":"image","serial":"x",`, "mounts[5].tag: does not belong to image"},
		"a disk with layers":          {`"serial":"volume-0",`, `"serial":"volume-0","layers":[{"serial":"x"}],`, "mounts[2].layers: belongs to image alone"},
		"no argument":                 {`["sh"]`, `[]`, "process.args: must be from 1 to 65536"},
		"NUL in an argument":          {`["sh"]`, `["a\u0000"]`, "process.args: holds a text that is too long or holds NUL"},
		"env without a name":          {`"A="`, `"=A"`, "process.env: holds an entry that is not NAME=value"},
		"a relative cwd":              {`"cwd":"/"`, `"cwd":"tmp"`, "process.cwd: is not an absolute path"},
		"a size without rows":         {`"rows":24`, `"rows":0`, "process.size.rows: must be from 1 to 65535"},
		"another kind of mount":       {"virtiofs", "9p", "mounts[0].kind: must be virtiofs, disk or image"},
		"a mount on the root":         {`"/data"`, `"/x/.."`, "mounts[0].destination: must not be the root"},
		"a mount in /proc":            {`"/data"`, `"//proc/sys"`, "mounts[0].destination: must not be in /proc"},
		"a file outside of the mount": {`"a file"`, `"../x"`, "mounts[0].file: is not the name of a file"},
		"a MAC in upper case":         {"52:54:00:12:34:56", "52:54:00:12:34:5A", "network.mac: is not a MAC address in lower case"},
		"an IPv6 address":             {`"10.0.2.15"`, `"::1"`, "network.address: is not an IPv4 address"},
		"IPv6 of a pod":               {`["a.b"]`, `["a.b"],"ipv6":{"address":"fd00::2","prefixLength":64,"router":"fe80::1","routerMac":"9a:55:9a:55:9a:55"}`, "network.ipv6: belongs to pods"},
		"a mapped IPv4 address":       {`"10.0.2.15"`, `"::ffff:1.2.3.4"`, "network.address: is not an IPv4 address"},
		"no network but keys of one":  {`"kind":"nic"`, `"kind":"none"`, "network: has keys that do not belong to none"},
		"a NIC that lacks a key":      {`"mtu":1500,`, ``, "network: lacks a key"},
		"a search injection":          {`"a.b"`, `"a\noptions x"`, "network.search: holds what is not a domain"},
		"a relative directory":        {`"/data/x"`, `"data"`, "directories: holds what is not an absolute path"},
		"too many directories":        {`"/data/x"`, `"/a"` + strings.Repeat(`,"/a"`, 256), "directories: has too many entries"},
		"an unknown capability":       {"CAP_CHOWN", "CAP_ALL", "confinement.capabilities: holds what is not a capability"},
		"an unknown profile":          {`"default"`, `"none"`, "confinement.seccomp: must be default, unconfined or profile"},
		"a relative masked path":      {`"/proc/kcore"`, `"kcore"`, "confinement.maskedPaths: holds what is not an absolute path"},
		"no process":                  {`"pids":3`, `"pids":0`, "resources.pids: must be at least 1"},
		"no reservation":              {`Bytes":4`, `Bytes":0`, "resources.memoryReservationBytes: must be at least 1"},
		"a weight above the maximum":  {`"cpuWeight":5`, `"cpuWeight":10001`, "resources.cpuWeight: must be from 1 to 10000"},
		"an unknown limit":            {`"nofile"`, `"files"`, "resources.ulimits[0].name: is not a limit"},
		"a limit twice":               {`"core"`, `"nofile"`, "resources.ulimits[1].name: is there twice"},
		"a negative limit":            {`"soft":6`, `"soft":-2`, "resources.ulimits[0].soft: must be at least -1"},
		"soft above hard":             {`"hard":-1`, `"hard":5`, "resources.ulimits[0].soft: must not be above the hard limit"},
		"soft without bound":          {`"soft":0`, `"soft":-1`, "resources.ulimits[1].soft: must not be above the hard limit"},
		"an init that is a string":    {`"init":true`, `"init":"true"`, "init: must be true or false"},
		"an unknown key":              {`"pids":3`, `"pids":3,"cpus":1`, `resources: unknown key "cpus"`},
		"a profile that is missing":   {`"seccomp":"default"`, `"seccomp":"profile"`, "confinement.seccompProfile: is missing"},
		"a profile beside default":    {`"groups"`, `"seccompProfile":` + allowAll + `,"groups"`, "confinement.seccompProfile: belongs to no other profile"},
		"an unknown action":           {`"seccomp":"default"`, `"seccomp":"profile","seccompProfile":` + strings.Replace(allowAll, "allow", "x", 1), "confinement.seccompProfile: holds what is not an action"},
		"an unknown groups policy":    {`"groupsPolicy":"strict"`, `"groupsPolicy":"none"`, "confinement.groupsPolicy: must be merge or strict"},
		"a long group":                {`"audio"`, `"` + strings.Repeat("a", 800) + `"`, "confinement.groups: holds a text that is too long or holds NUL"},
		"a score that is too low":     {`-5`, `-1001`, "confinement.oomScoreAdj: must be from -1000 to 1000"},
		"a device outside of /dev":    {`"net/tun"`, `"../x"`, "confinement.devices: holds what is not the path of a device"},
		"a rule of another kind":      {`"char"`, `"fifo"`, "confinement.deviceRules[0].kind: must be all, char or block"},
		"a rule for no device":        {`"major":10`, `"major":-1`, "confinement.deviceRules[0].major: must be from 0 to 2147483647"},
		"a rule to execute":           {`"rw"`, `"rx"`, "confinement.deviceRules[0].access: must have letters of rwm"},
		"a domain with a space":       {`"example.com"`, `"a b"`, "domainname: is not a domain"},
		"a setting of the guest":      {"net/core/somaxconn", "kernel/core_pattern", "sysctls[0].path: is not a setting of a namespace"},
		"a setting by a way out":      {"net/core/somaxconn", "net/../kernel/core_pattern", "sysctls[0].path: is not a setting of a namespace"},
		"NUL in a setting":            {`"99"`, `"\u0000"`, "sysctls[0].value: is too long or holds NUL"},
		"a key as an authority":       {"N CERTIFICATE", "N PRIVATE KEY", "authorities: holds what is not one certificate in PEM"},
		"text behind an authority":    {`-----\n"]`, `-----\nx"]`, "authorities: holds what is not one certificate in PEM"},
		"a fill that is a word":       {`"fill":true`, `"fill":"true"`, "mounts[1].fill: must be true or false"},
		"a read-only fill":            {`"readonly":false,"fill"`, `"readonly":true,"fill"`, "mounts[1].fill: must not be with readonly, file or subpath"},
		"a tag of a disk":             {`"serial":"volume-0"`, `"serial":"volume-0","tag":"a"`, "mounts[2].tag: does not belong to disk"},
		"a serial of a share":         {`"tag":"share-1"`, `"tag":"share-1","serial":"a"`, "mounts[1].serial: does not belong to virtiofs"},
		"a share without a tag":       {`"tag":"share-1",`, ``, "mounts[1].tag: is not a tag"},
		"a disk without a serial":     {`"serial":"volume-0",`, ``, "mounts[2].serial: is not a serial"},
		"a part above the volume":     {`"a/b"`, `"a/../../b"`, "mounts[2].subpath: is not a path below a root"},
		"an absolute part":            {`"a/b"`, `"/b"`, "mounts[2].subpath: is not a path below a root"},
		"a fill of a part":            {`"readonly":true,"subpath":"a/b"`, `"readonly":false,"fill":true,"subpath":"a/b"`, "mounts[2].fill: must not be with readonly, file or subpath"},
		"a fill of a file":            {`"fill":true`, `"fill":true,"file":"f"`, "mounts[1].fill: must not be with readonly, file or subpath"},
	} {
		t.Run(name, func(t *testing.T) {
			document := strings.Replace(example, c.old, c.new, 1)
			if document == example {
				t.Fatal("the test changes nothing")
			}
			if _, err := Parse([]byte(document)); err == nil || err.Error() != c.message {
				t.Errorf("got %v, want %q", err, c.message)
			}
		})
	}
}

func TestAFillThatIsFalseIsNone(t *testing.T) {
	document := strings.Replace(example, `"file":"a file"`, `"file":"a file","fill":false`, 1)
	if spec, err := Parse([]byte(document)); err != nil || spec.Mounts[0].Fills() {
		t.Errorf("got %v", err)
	}
}

// FuzzSpec: what is accepted keeps to the bounds that the rest of the agent builds on.
func FuzzSpec(f *testing.F) {
	f.Add([]byte(example))
	f.Add([]byte(strings.Replace(example, `"disk","serial":"changes"`, `"memory"`, 1)))
	f.Fuzz(func(t *testing.T, data []byte) {
		spec, err := Parse(data)
		if err != nil {
			return
		}
		for _, serial := range spec.Serials() {
			if strings.ContainsAny(serial, "/\x00 ") || serial == "" {
				t.Fatalf("serial %q", serial)
			}
		}
		if len(spec.Process.Args) == 0 || !strings.HasPrefix(spec.Process.Cwd, "/") {
			t.Fatalf("process %+v", spec.Process)
		}
	})
}
