package box_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"

	"a3s.dev/box/agent/output"
)

func TestAnExitIsReportedAsDockerDoes(t *testing.T) {
	h := start(t, document)
	for text, want := range map[string]string{
		"exit 0":          `{"exitCode":0,"signal":null,"oomKilled":false`,
		"exit 42":         `{"exitCode":42,"signal":null,"oomKilled":false`,
		"kill -TERM $$":   `{"exitCode":143,"signal":"SIGTERM","oomKilled":false`,
		"kill -KILL $$":   `{"exitCode":137,"signal":"SIGKILL","oomKilled":false`,
		"kill -36 $$":     `{"exitCode":164,"signal":"SIGRTMIN+2","oomKilled":false`,
		"busybox sleep 0": `{"exitCode":0,"signal":null,"oomKilled":false`,
	} {
		t.Run(text, func(t *testing.T) {
			h.t = t
			id := "x" + strings.Map(onlyID, strings.ToLower(text))
			h.launch(id, script(text))
			if _, got := h.call("GET", "/v1/processes/"+id+"/exit", nil); !strings.HasPrefix(got, want) {
				t.Errorf("got %s", got)
			}
		})
	}
	h.t = t
}

func onlyID(r rune) rune {
	if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' {
		return r
	}
	return -1
}

func TestAStartThatCannotBeIsRefused(t *testing.T) {
	h := start(t, document)
	for name, c := range map[string]struct {
		change  func(p *command)
		code    string
		message string
	}{
		"not in PATH":            {func(p *command) { p.Args = []string{"nope"} }, "command-not-found", `exec: "nope": executable file not found in $PATH`},
		"no such path":           {func(p *command) { p.Args = []string{"/nope"} }, "command-not-found", `exec: "/nope": stat /nope: no such file or directory`},
		"a directory":            {func(p *command) { p.Args = []string{"/etc"} }, "command-not-executable", `exec: "/etc": is a directory`},
		"no permission":          {func(p *command) { p.Args = []string{"/bin/plain"} }, "command-not-executable", `exec: "/bin/plain": permission denied`},
		"not executable in PATH": {func(p *command) { p.Args = []string{"plain"} }, "command-not-executable", `exec: "plain": permission denied`},
		"a wrong format":         {func(p *command) { p.Args = []string{"/bin/bad"} }, "command-not-executable", `exec /bin/bad: exec format error`},
		"an unknown user":        {func(p *command) { p.User = "ghost" }, "user-not-found", `unable to find user ghost: no matching entries in passwd file`},
		"an unknown group":       {func(p *command) { p.User = "0:ghost" }, "user-not-found", `unable to find group ghost: no matching entries in group file`},
		"no such directory":      {func(p *command) { p.Cwd = "/nope" }, "cwd-invalid", `chdir to cwd ("/nope") failed: no such file or directory`},
		"cwd is a file":          {func(p *command) { p.Cwd = "/etc/passwd" }, "cwd-invalid", `chdir to cwd ("/etc/passwd") failed: not a directory`},
	} {
		t.Run(name, func(t *testing.T) {
			h.t = t
			for _, terminal := range []bool{false, true} {
				p := script("true")
				p.Terminal = terminal
				c.change(&p)
				status, text := h.call("POST", "/v1/processes", h.body("r", p))
				want := `{"error":{"code":"` + c.code + `","message":` + quote(c.message) + `}}`
				if text != want || status != http.StatusUnprocessableEntity {
					t.Errorf("got %d %s, want %s", status, text, want)
				}
				h.refuses("GET", "/v1/processes/r", nil, http.StatusNotFound, "not-found")
			}
		})
	}
	h.t = t
}

func TestStdinComesBackAsItWent(t *testing.T) {
	h := start(t, document)
	p := script("exec busybox cat")
	p.Stdin = true
	h.launch("c", p)
	data := make([]byte, 5<<20)
	for index := range data {
		data[index] = byte(index * index >> 7)
	}
	var answer string
	sent := make(chan struct{})
	go func() {
		defer close(sent)
		_, answer = h.call("PUT", "/v1/processes/c/stdin", bytes.NewReader(data))
	}()
	reader, acks := io.Pipe()
	response, err := h.request("POST", "/v1/processes/c/output?offset=0", reader)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	sum, next := sha256.New(), uint64(0)
	for {
		stream, offset, payload, err := readFrame(response.Body)
		if err != nil {
			t.Fatal(err)
		}
		if offset != next {
			t.Fatalf("offset %d follows %d", offset, next)
		}
		if stream == 3 {
			break
		}
		sum.Write(payload)
		next += uint64(len(payload))
		// After the last byte the agent receives no more acknowledgements.
		_, _ = acks.Write(binary.BigEndian.AppendUint64(nil, next))
	}
	<-sent
	if next != uint64(len(data)) || [32]byte(sum.Sum(nil)) != sha256.Sum256(data) || answer != `{"closed":false}` {
		t.Errorf("%d bytes came back, the input ended with %s", next, answer)
	}
}

func TestInputForAProcessThatDoesNotReadIsDropped(t *testing.T) {
	h := start(t, document)
	p := script("busybox head -c 1; exec busybox sleep 1000")
	p.Stdin = true
	h.launch("s", p)
	body, input := io.Pipe()
	answers := make(chan string)
	go func() {
		_, text := h.call("PUT", "/v1/processes/s/stdin", body)
		answers <- text
	}()
	if _, err := input.Write(bytes.Repeat([]byte("x"), 100_000)); err != nil {
		t.Fatal(err)
	}
	// The first byte comes back: the input is taken.
	response, err := h.request("POST", "/v1/processes/s/output?offset=0", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if _, _, payload, err := readFrame(response.Body); err != nil || string(payload) != "x" {
		t.Fatalf("got %q, %v", payload, err)
	}
	h.refuses("PUT", "/v1/processes/s/stdin", strings.NewReader("x"), http.StatusConflict, "conflict")
	h.call("POST", "/v1/processes/s/signal", strings.NewReader(`{"signal":"9"}`))
	if got := <-answers; got != `{"closed":true}` {
		t.Errorf("got %s", got)
	}
	_ = input.Close()
}

func TestAProcessWaitsForItsReader(t *testing.T) {
	h := start(t, document)
	h.launch("y", script("busybox yes & sleep 0; wait"))
	written := func() (n uint64) {
		_, text := h.call("GET", "/v1/processes/y", nil)
		var report struct{ Written uint64 }
		if err := json.Unmarshal([]byte(text), &report); err != nil {
			t.Fatal(err)
		}
		return report.Written
	}
	for written() < output.Capacity {
	}
	if n := written(); n != output.Capacity {
		t.Errorf("the agent took %d bytes", n)
	}
	h.refuses("POST", "/v1/processes/y/output?offset=9999999", nil, http.StatusRequestedRangeNotSatisfiable, "offset-gone")
	for _, query := range []string{"", "?offset=", "?offset=-1", "?offset=01", "?offset=1&offset=1", "?offset=1&x=1"} {
		h.refuses("POST", "/v1/processes/y/output"+query, nil, http.StatusBadRequest, "invalid")
	}
}

func TestTheNewestReaderTakesTheOutputOver(t *testing.T) {
	h := start(t, document)
	h.launch("o", script("echo 0123456789; exec busybox sleep 1000"))
	open := func(offset string, body io.Reader) *http.Response {
		response, err := h.request("POST", "/v1/processes/o/output?offset="+offset, body)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = response.Body.Close() })
		return response
	}
	first := open("0", nil)
	if _, _, payload, err := readFrame(first.Body); err != nil || string(payload) != "0123456789\n" {
		t.Fatalf("got %q, %v", payload, err)
	}
	second := open("4", nil)
	if _, offset, payload, err := readFrame(second.Body); err != nil || offset != 4 || string(payload) != "456789\n" {
		t.Fatalf("got %d %q, %v", offset, payload, err)
	}
	if _, _, _, err := readFrame(first.Body); err == nil || err == io.EOF {
		t.Errorf("the displaced reader ends with %v", err)
	}
	for name, offsets := range map[string][]uint64{"falling": {5, 4}, "above": {100}} {
		var body []byte
		for _, offset := range offsets {
			body = binary.BigEndian.AppendUint64(body, offset)
		}
		reader, writer := io.Pipe()
		response := open("5", reader)
		if _, _, _, err := readFrame(response.Body); err != nil {
			t.Fatal(err)
		}
		// The agent may have ended the stream before it has read all.
		_, _ = writer.Write(body)
		if _, _, _, err := readFrame(response.Body); err == nil || err == io.EOF {
			t.Errorf("%s: the stream ends with %v", name, err)
		}
		_ = writer.Close()
	}
	h.refuses("POST", "/v1/processes/o/output?offset=4", nil, http.StatusRequestedRangeNotSatisfiable, "offset-gone")
}

func TestABackgroundChildDoesNotHoldTheEndUp(t *testing.T) {
	h := start(t, document)
	got, exit := h.run("b", script("busybox sleep 1000 & echo done"))
	if got != "done\n" || exit.ExitCode != 0 {
		t.Errorf("got %q, %+v", got, exit)
	}
}

func TestATerminalHasASizeAndIsResized(t *testing.T) {
	h := start(t, document)
	p := script("busybox stty size; busybox tty; read line; echo got $line; busybox stty size")
	p.Terminal, p.Stdin = true, true
	body := strings.Replace(readAll(t, h.body("t", p)), `"terminal":true`, `"terminal":true,"size":{"rows":30,"columns":99}`, 1)
	if status, text := h.call("POST", "/v1/processes", strings.NewReader(body)); status != http.StatusOK {
		t.Fatal(text)
	}
	if status, text := h.call("POST", "/v1/processes/t/resize", strings.NewReader(`{"rows":40,"columns":100}`)); status != http.StatusNoContent {
		t.Fatal(text)
	}
	h.call("PUT", "/v1/processes/t/stdin", strings.NewReader("hello\n"))
	got := normal(h.output("t"))
	if !strings.Contains(got, "/dev/pts/0\n") || !strings.Contains(got, "got hello\n40 100\n") {
		t.Errorf("got %q", got)
	}
	h.refuses("POST", "/v1/processes/t/resize", strings.NewReader(`{"rows":40,"columns":100}`), http.StatusConflict, "conflict")
	h.refuses("POST", "/v1/processes/main/resize", strings.NewReader(`{"rows":40,"columns":100}`), http.StatusConflict, "conflict")
	h.refuses("POST", "/v1/processes/main/resize", strings.NewReader(`{"rows":0,"columns":100}`), http.StatusBadRequest, "invalid")
}

func readAll(t *testing.T, r io.Reader) string {
	t.Helper()
	text, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestWhenMainEndsTheBoxEnds(t *testing.T) {
	h := start(t, document)
	h.launch("s", script("exec busybox sleep 1000"))
	h.refuses("DELETE", "/v1/processes/s", nil, http.StatusConflict, "conflict")
	h.refuses("POST", "/v1/processes", h.body("s", script("true")), http.StatusConflict, "conflict")
	h.refuses("POST", "/v1/processes/main/start", nil, http.StatusConflict, "conflict")
	if status, text := h.call("PUT", "/v1/processes/main/stdin", nil); text != `{"closed":false}` {
		t.Fatalf("%d %s", status, text)
	}
	if got := h.exit("main"); got.ExitCode != 0 {
		t.Errorf("main: %+v", got)
	}
	if got := h.exit("s"); got.ExitCode != 137 || *got.Signal != "SIGKILL" {
		t.Errorf("exec: %+v", got)
	}
	h.refuses("POST", "/v1/processes", h.body("late", script("true")), http.StatusConflict, "conflict")
	h.refuses("POST", "/v1/processes/main/signal", strings.NewReader(`{"signal":"SIGTERM"}`), http.StatusConflict, "conflict")
	if status, _ := h.call("DELETE", "/v1/processes/s", nil); status != http.StatusNoContent {
		t.Errorf("forget: %d", status)
	}
	h.refuses("GET", "/v1/processes/s", nil, http.StatusNotFound, "not-found")
	h.refuses("DELETE", "/v1/processes/main", nil, http.StatusConflict, "conflict")
}
