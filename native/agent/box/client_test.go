package box_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"a3s.dev/box/agent/box"
	"a3s.dev/box/agent/box/spec"
	"a3s.dev/box/agent/guesttest"
	"a3s.dev/box/agent/http2"
	"a3s.dev/box/agent/reaper"
	"a3s.dev/box/agent/server"
)

// children is the one reaper of this test process.
var children = reaper.New()

func TestMain(m *testing.M) {
	go func() {
		if err := children.Run(); err != nil {
			panic(err)
		}
	}()
	os.Exit(m.Run())
}

// host is the other end of the protocol.
type host struct {
	t      *testing.T
	client *http.Client
	// groupDir stands for the box's control group.
	groupDir string
	// version is 1 where it is empty.
	version string
	// below takes the place of /v1 in paths where it is set: a container's path.
	below string
	box   *box.Box
}

// serve answers for a box on a socket.
func serve(t *testing.T, b *box.Box) *host {
	t.Helper()
	path := filepath.Join(t.TempDir(), "s")
	listener, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	s := &http2.Server{Handler: (&server.Server{Box: b, Version: "test", PowerOff: func() {}}).Handler()}
	go func() { _ = s.Serve(listener) }()
	transport := &http.Transport{
		Protocols: new(http.Protocols),
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, "unix", path)
		},
	}
	transport.Protocols.SetUnencryptedHTTP2(true)
	t.Cleanup(func() {
		transport.CloseIdleConnections()
		_ = s.Close()
	})
	return &host{t: t, client: &http.Client{Transport: transport}}
}

const document = `{"schema":"a3s-box/box-spec/v1","hostname":"box1","rootfs":{"layers":[{"serial":"layer-0"}],
"changes":{"kind":"memory"},"readonly":false},"process":{"args":["/bin/busybox","cat"],"env":["PATH=/bin"],
"cwd":"/work","user":"","terminal":false,"stdin":true},"mounts":[],"network":{"kind":"none"},
"confinement":{"capabilities":["CAP_CHOWN","CAP_KILL","CAP_SYS_CHROOT","CAP_MKNOD","CAP_SETUID","CAP_SETGID","CAP_DAC_OVERRIDE"],
"noNewPrivileges":false,"seccomp":"default","maskedPaths":["/proc/version","/sys/firmware","/secret","/absent"],
"readonlyPaths":["/proc/sys","/absent"]},"resources":{}}`

// start runs a box by a spec, its main process included.
func start(t *testing.T, spec string, attachments ...spec.Attachment) *host {
	t.Helper()
	h := prepared(t, spec, attachments...)
	status, body := h.call("POST", "/v1/processes/main/start", nil)
	if status != http.StatusOK {
		t.Fatalf("start: %d %s", status, body)
	}
	t.Cleanup(func() {
		h.call("POST", "/v1/processes/main/signal", strings.NewReader(`{"signal":"SIGKILL"}`))
		h.call("GET", "/v1/processes/main/exit", nil)
	})
	return h
}

// shell is the static busybox that the boxes of tests have for an image.
const shell = "/bin/busybox"

// needBox skips a test where no box can be made.
func needBox(t *testing.T) {
	t.Helper()
	guesttest.NeedRoot(t)
	if _, err := os.Stat(shell); err != nil {
		t.Skip("needs a static busybox at " + shell)
	}
}

// prepared makes a box by a spec, whose main process was not started.
func prepared(t *testing.T, spec string, attachments ...spec.Attachment) *host {
	t.Helper()
	needBox(t)
	groupDir := t.TempDir()
	b, err := box.NewTestBox(children, groupDir, shell, []byte(spec), attachments...)
	if err != nil {
		t.Fatal(err)
	}
	h := serve(t, b)
	h.groupDir, h.box = groupDir, b
	t.Cleanup(func() {
		if err := box.CloseTestBox(b); err != nil {
			t.Error(err)
		}
	})
	return h
}

// group reads a file of the box's control group.
func (h *host) group(file string) string {
	h.t.Helper()
	content, err := os.ReadFile(filepath.Join(h.groupDir, file))
	if err != nil {
		h.t.Fatal(err)
	}
	return strings.TrimSpace(string(content))
}

func (h *host) request(method, path string, body io.Reader) (*http.Response, error) {
	if own, found := strings.CutPrefix(path, "/v1"); found && h.below != "" && path != h.below {
		path = h.below + own
	}
	request, err := http.NewRequest(method, "http://guest"+path, body)
	if err != nil {
		h.t.Fatal(err)
	}
	version := h.version
	if version == "" {
		version = "1"
	}
	request.Header.Set("a3s-protocol", version)
	return h.client.Do(request)
}

func (h *host) call(method, path string, body io.Reader) (int, string) {
	h.t.Helper()
	response, err := h.request(method, path, body)
	if err != nil {
		h.t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		h.t.Fatal(err)
	}
	return response.StatusCode, string(text)
}

// refuses insists on an error code.
func (h *host) refuses(method, path string, body io.Reader, status int, code string) {
	h.t.Helper()
	gotStatus, text := h.call(method, path, body)
	var answer struct {
		Error struct{ Code, Message string }
	}
	if err := json.Unmarshal([]byte(text), &answer); err != nil || gotStatus != status || answer.Error.Code != code || answer.Error.Message == "" {
		h.t.Errorf("%s %s: got %d %s, want %d %s", method, path, gotStatus, text, status, code)
	}
}

// command is what a test changes of an exec.
type command struct {
	Args     []string `json:"args"`
	Env      []string `json:"env"`
	Cwd      string   `json:"cwd"`
	User     string   `json:"user"`
	Terminal bool     `json:"terminal"`
	Stdin    bool     `json:"stdin"`
}

func script(text string) command {
	return command{Args: []string{"/bin/busybox", "sh", "-c", text}, Env: []string{"PATH=/bin"}, Cwd: "/"}
}

func (h *host) body(id string, p command) io.Reader {
	h.t.Helper()
	text, err := json.Marshal(map[string]any{"id": id, "process": p})
	if err != nil {
		h.t.Fatal(err)
	}
	return bytes.NewReader(text)
}

type exit struct {
	ExitCode  int
	Signal    *string
	OOMKilled bool
}

func (h *host) exit(id string) exit {
	h.t.Helper()
	status, text := h.call("GET", "/v1/processes/"+id+"/exit", nil)
	var e exit
	if err := json.Unmarshal([]byte(text), &e); err != nil || status != http.StatusOK {
		h.t.Fatalf("exit of %s: %d %s", id, status, text)
	}
	return e
}

// output reads all that a process writes, without acknowledging any of it.
func (h *host) output(id string) string {
	h.t.Helper()
	response, err := h.request("POST", "/v1/processes/"+id+"/output?offset=0", nil)
	if err != nil {
		h.t.Fatal(err)
	}
	defer response.Body.Close()
	var text []byte
	for {
		stream, _, payload, err := readFrame(response.Body)
		if err != nil {
			h.t.Fatal(err)
		}
		if stream == 3 {
			return string(text)
		}
		text = append(text, payload...)
	}
}

func readFrame(r io.Reader) (stream byte, offset uint64, payload []byte, err error) {
	head := make([]byte, 16)
	if _, err := io.ReadFull(r, head); err != nil {
		return 0, 0, nil, err
	}
	payload = make([]byte, binary.BigEndian.Uint32(head[4:]))
	_, err = io.ReadFull(r, payload)
	return head[0], binary.BigEndian.Uint64(head[8:]), payload, err
}

// run executes a process and answers its output and exit.
func (h *host) run(id string, p command) (string, exit) {
	h.t.Helper()
	h.launch(id, p)
	return h.output(id), h.exit(id)
}

func (h *host) launch(id string, p command) {
	h.t.Helper()
	if status, text := h.call("POST", "/v1/processes", h.body(id, p)); status != http.StatusOK {
		h.t.Fatalf("exec %s: %d %s", id, status, text)
	}
}
