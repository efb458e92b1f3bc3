package box_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"strings"
	"testing"

	"a3s.dev/box/agent/box"
	"a3s.dev/box/agent/linux"
)

// confined is the document with more in its confinement.
func confined(more string) string {
	return strings.Replace(document, `"noNewPrivileges":false`, more+`,"noNewPrivileges":false`, 1)
}

// beside is the document with more beside its confinement.
func beside(more string) string {
	return strings.Replace(document, `"resources":{}`, `"resources":{},`+more, 1)
}

// everywhere insists that main, an exec, a terminal and a health probe's group see the same of
// themselves.
func everywhere(t *testing.T, spec, command string, want string) {
	t.Helper()
	h := start(t, strings.Replace(spec, `["/bin/busybox","cat"]`, `["/bin/busybox","sh","-c",`+quote(command+"\nexec busybox cat")+`]`, 1))
	terminal := script(command)
	terminal.Terminal = true
	exec, _ := h.run("e", script(command))
	tty, _ := h.run("t", terminal)
	h.call("PUT", "/v1/processes/main/stdin", nil)
	for name, got := range map[string]string{"main": h.output("main"), "exec": exec, "terminal": normal(tty)} {
		if got != want {
			t.Errorf("%s: got %q, want %q", name, got, want)
		}
	}
}

func TestFurtherGroupsAreThoseOfEveryProcess(t *testing.T) {
	everywhere(t, confined(`"groups":["extra","77","root"]`), "busybox grep Groups /proc/self/status", "Groups:\t0 77 2000 \n")
	h := start(t, confined(`"groups":["extra","77"]`))
	p := script("busybox grep Groups /proc/self/status")
	p.User = "app:app"
	if got, _ := h.run("e", p); got != "Groups:\t77 1000 2000 \n" {
		t.Errorf("got %q", got)
	}
}

func TestAPolicySaysWhichGroupsOfTheImageEveryProcessHas(t *testing.T) {
	for policy, want := range map[string]string{
		`"groupsPolicy":"merge"`:  "Groups:\t77 1234 2000 \n",
		`"groupsPolicy":"strict"`: "Groups:\t77 1234 \n",
	} {
		spec := strings.Replace(confined(policy+`,"groups":["1234"]`), `"user":""`, `"user":"app:77"`, 1)
		h := start(t, spec)
		if _, text := h.call("GET", "/v1/processes/main", nil); !strings.Contains(text, `"gid":77,"groups":[77,`) {
			t.Errorf("got %s", text)
		}
		p := script("busybox grep Groups /proc/self/status")
		p.User = "app:77"
		if got, _ := h.run("e", p); got != want {
			t.Errorf("%s: got %q", policy, got)
		}
	}
}

func TestTheUserOfTheMainProcessIsReported(t *testing.T) {
	h := start(t, strings.Replace(confined(`"groups":["77"]`), `"user":""`, `"user":"app"`, 1))
	const want = `"user":{"uid":1000,"gid":1000,"groups":[1000,2000,77]}`
	if _, text := h.call("GET", "/v1/processes/main", nil); !strings.Contains(text, want) {
		t.Errorf("got %s", text)
	}
	h.run("e", script("true"))
	if _, text := h.call("GET", "/v1/processes/e", nil); strings.Contains(text, `"user"`) {
		t.Errorf("got %s", text)
	}
}

func TestAGroupThatTheImageDoesNotHaveIsRefused(t *testing.T) {
	h := prepared(t, confined(`"groups":["nope"]`))
	status, text := h.call("POST", "/v1/processes/main/start", nil)
	if status != http.StatusUnprocessableEntity || !strings.Contains(text, "Unable to find group nope: no matching entries in group file") {
		t.Errorf("got %d %s", status, text)
	}
}

func TestTheOutOfMemoryScoreIsThatOfEveryProcess(t *testing.T) {
	everywhere(t, confined(`"oomScoreAdj":300`), "busybox cat /proc/self/oom_score_adj", "300\n")
}

func TestAProfileOfTheBoxHoldsForEveryProcess(t *testing.T) {
	const profile = `"seccompProfile":{"default":{"kind":"allow","value":0},"x86":true,"x32":true,"log":false,"specAllow":false,
"rules":[{"names":["mkdir","mkdirat"],"action":{"kind":"errno","value":28},"conditions":[]}]}`
	spec := strings.Replace(confined(profile), `"seccomp":"default"`, `"seccomp":"profile"`, 1)
	const probe = "busybox grep Seccomp: /proc/self/status; busybox mkdir /tmp/$$ 2>&1 | busybox cut -d : -f 3"
	everywhere(t, spec, probe, "Seccomp:\t2\n No space left on device\n")
	// The filter is installed last where the process gains no privileges.
	everywhere(t, strings.Replace(spec, `"noNewPrivileges":false`, `"noNewPrivileges":true`, 1), probe, "Seccomp:\t2\n No space left on device\n")
}

func TestAnUnconfinedBoxHasNoFilter(t *testing.T) {
	spec := strings.Replace(document, `"seccomp":"default"`, `"seccomp":"unconfined"`, 1)
	everywhere(t, spec, "busybox grep Seccomp: /proc/self/status", "Seccomp:\t0\n")
}

func TestSettingsOfTheKernelAreThoseOfTheBox(t *testing.T) {
	settings := `"domainname":"example.com","sysctls":[{"path":"net/ipv4/ip_forward","value":"1"},{"path":"kernel/msgmax","value":"4097"},
{"path":"fs/mqueue/msg_max","value":"11"},{"path":"kernel/shm_rmid_forced","value":"1"}]`
	const show = "cd /proc/sys; busybox cat kernel/domainname net/ipv4/ip_forward kernel/msgmax fs/mqueue/msg_max kernel/shm_rmid_forced"
	everywhere(t, beside(settings), show, "example.com\n1\n4097\n11\n1\n")
	// They are those of the box's namespaces, and not of the guest.
	for path, own := range map[string]string{"net/ipv4/ip_forward": "", "kernel/msgmax": "4097\n", "kernel/domainname": "example.com\n"} {
		if content, err := os.ReadFile("/proc/sys/" + path); err != nil || string(content) == own {
			t.Errorf("%s: %s, %v", path, content, err)
		}
	}
}

func TestASettingThatTheKernelRefusesIsAnError(t *testing.T) {
	needBox(t)
	for setting, want := range map[string]string{
		`{"path":"net/no_such","value":"1"}`:           "open /proc/sys/net/no_such: no such file or directory",
		`{"path":"net/ipv4/ip_forward","value":"abc"}`: "write /proc/sys/net/ipv4/ip_forward: invalid argument",
	} {
		b, err := box.NewTestBox(children, t.TempDir(), shell, []byte(beside(`"sysctls":[`+setting+`]`)))
		if err == nil || err.Error() != want {
			t.Errorf("got %v, want %q", err, want)
		}
		if b != nil {
			_ = box.CloseTestBox(b)
		}
	}
}

func TestABoxGetsADeviceOfTheGuest(t *testing.T) {
	if _, err := os.Stat("/dev/fuse"); err != nil {
		t.Skip("needs /dev/fuse")
	}
	everywhere(t, confined(`"devices":["fuse"]`), "busybox stat -c '%F %t:%T %a' /dev/fuse; busybox dd if=/dev/fuse count=1 2>&1 | busybox tail -n 1",
		"character special file a:e5 666\ndd: /dev/fuse: Operation not permitted\n")
	b, err := box.NewTestBox(children, t.TempDir(), shell, []byte(confined(`"devices":["no/such"]`)))
	if err == nil || !strings.Contains(err.Error(), "the kernel of the guest has no such device") {
		t.Errorf("got %v", err)
	}
	if b != nil {
		_ = box.CloseTestBox(b)
	}
}

func TestAPrivilegedBoxHasItsGuest(t *testing.T) {
	spec := strings.NewReplacer(`"seccomp":"default"`, `"seccomp":"unconfined","privileged":true`,
		`"maskedPaths":["/proc/version","/sys/firmware","/secret","/absent"]`, `"maskedPaths":[]`, `"readonlyPaths":["/proc/sys","/absent"]`, `"readonlyPaths":[]`,
		`"CAP_CHOWN"`, `"CAP_CHOWN","CAP_SYS_ADMIN","CAP_NET_ADMIN"`).Replace(document)
	const probe = `busybox mount -t tmpfs x /tmp && busybox umount /tmp && echo mounted
busybox grep -E ' /(dev|sys) ' /proc/self/mounts | busybox cut -d ' ' -f 2,4 | busybox cut -d , -f 1-3
busybox mknod /dev/own$$ c 1 5 && busybox head -c 1 /dev/own$$ | busybox wc -c
busybox test -c /dev/kmsg && echo kmsg; busybox cat /secret/file; busybox wc -c < /dev/null`
	everywhere(t, spec, probe, "mounted\n/dev rw,nosuid,relatime\n/sys rw,nosuid,nodev\n1\nkmsg\nsecret\n0\n")
}

func TestAPrivilegedExecHasAllCapabilitiesAndNothingElse(t *testing.T) {
	h := start(t, confined(`"groups":["extra"],"oomScoreAdj":7`))
	h.version = "7"
	text, err := json.Marshal(map[string]any{"id": "p", "privileged": true, "process": script(facts + "\nbusybox cat /proc/self/oom_score_adj")})
	if err != nil {
		t.Fatal(err)
	}
	if status, answer := h.call("POST", "/v1/processes", strings.NewReader(string(text))); status != http.StatusOK {
		t.Fatalf("got %d %s", status, answer)
	}
	got := h.output("p")
	own, err := linux.Permitted()
	if err != nil {
		t.Fatal(err)
	}
	all := fmt.Sprintf("%016x", own)
	for _, line := range []string{"CapEff:\t" + all, "CapBnd:\t" + all, "Groups:\t0 2000 ", "Seccomp:\t2", "7"} {
		if !strings.Contains(got, line+"\n") {
			t.Errorf("%q is missing in\n%s", line, got)
		}
	}
	plain, _ := h.run("e", script(facts))
	if !strings.Contains(plain, "CapEff:\t00000000080400e3\n") {
		t.Error(plain)
	}
	h.version = "6"
	h.refuses("POST", "/v1/processes", strings.NewReader(string(text)), http.StatusBadRequest, "invalid")
}
