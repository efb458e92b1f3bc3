package box_test

import (
	"net/http"
	"strings"
	"testing"

	"a3s.dev/box/agent/box"
	"a3s.dev/box/agent/box/process"
)

// waiting is a box whose main process waits.
func Stage(t *testing.T, spec string) (*host, *box.Box, *process.Handle) {
	t.Helper()
	needBox(t)
	b, err := box.NewTestBox(children, t.TempDir(), shell, []byte(spec))
	if err != nil {
		t.Fatal(err)
	}
	main, err := b.Await()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = main.Signal(9)
		<-main.Complete()
		if err := box.CloseTestBox(b); err != nil {
			t.Error(err)
		}
	})
	return serve(t, b), b, main
}

func running(text string) string {
	return strings.Replace(document, `["/bin/busybox","cat"]`, `["/bin/busybox","sh","-c",`+quote(text)+`]`, 1)
}

func TestAMainProcessThatWaitsSaysSo(t *testing.T) {
	h, b, main := Stage(t, running("echo $A $B"))
	if _, text := h.call("GET", "/v1/processes/main", nil); !strings.HasPrefix(text, `{"id":"main","state":"waiting","pid":0,"startedAt":null,"exit":null`) {
		t.Errorf("got %s", text)
	}
	h.refuses("POST", "/v1/processes/main/start", nil, http.StatusConflict, "conflict")
	h.refuses("POST", "/v1/processes", h.body("a", script("true")), http.StatusConflict, "conflict")
	b.Begin(main, []string{"A=one", "B=two"})
	if got := h.output("main"); got != "one two\n" {
		t.Errorf("got %q", got)
	}
	if e := h.exit("main"); e.ExitCode != 0 {
		t.Errorf("got %+v", e)
	}
}

func TestASignalEndsAMainProcessThatWaits(t *testing.T) {
	h, b, main := Stage(t, document)
	// One that a program does not even notice does not.
	h.refuses("POST", "/v1/processes/main/signal", strings.NewReader(`{"signal":"SIGWINCH"}`), http.StatusConflict, "conflict")
	if status, text := h.call("POST", "/v1/processes/main/signal", strings.NewReader(`{"signal":"SIGTERM"}`)); status != http.StatusNoContent {
		t.Fatalf("got %d %s", status, text)
	}
	if e := h.exit("main"); e.ExitCode != 143 || e.Signal == nil || *e.Signal != "SIGTERM" {
		t.Errorf("got %+v", e)
	}
	b.Begin(main, nil)
	b.Abandon(main, &process.ExitError{Code: "late"})
	if report := main.Report(); report.State != process.StateExited || report.Pid != 0 || report.Exit.Error != nil {
		t.Errorf("got %+v", report)
	}
	if got := h.output("main"); got != "" {
		t.Errorf("got %q", got)
	}
}

func TestAMainProcessThatIsGivenUpSaysWhy(t *testing.T) {
	h, b, main := Stage(t, document)
	b.Abandon(main, &process.ExitError{Code: "secrets-deadline", Message: "late"})
	if _, text := h.call("GET", "/v1/processes/main/exit", nil); !strings.HasPrefix(text, `{"exitCode":125,"signal":null,"oomKilled":false`) ||
		!strings.HasSuffix(text, `"error":{"code":"secrets-deadline","message":"late"}}`) {
		t.Errorf("got %s", text)
	}
}

func TestAMainProcessThatCannotBeginSaysWhy(t *testing.T) {
	for program, want := range map[string]struct {
		exitCode int
		code     string
	}{
		"/nope": {127, "command-not-found"}, "/bin/plain": {126, "command-not-executable"}, "/etc": {126, "command-not-executable"},
	} {
		t.Run(program, func(t *testing.T) {
			_, b, main := Stage(t, strings.Replace(document, `["/bin/busybox","cat"]`, `["`+program+`"]`, 1))
			b.Begin(main, nil)
			<-main.Complete()
			if exit := main.Report().Exit; exit.ExitCode != want.exitCode || exit.Error == nil || exit.Error.Code != want.code {
				t.Errorf("got %+v", exit)
			}
		})
	}
}

func TestTheMainUserIsTheBoxesOwn(t *testing.T) {
	for user, want := range map[string][2]uint32{"": {0, 0}, "app": {1000, 1000}, "5:extra": {5, 2000}} {
		t.Run(user, func(t *testing.T) {
			_, b, _ := Stage(t, strings.Replace(document, `"user":""`, `"user":"`+user+`"`, 1))
			if got, err := b.MainUser(); err != nil || got.UID != want[0] || got.GID != want[1] {
				t.Errorf("got %+v, %v", got, err)
			}
		})
	}
	_, b, _ := Stage(t, strings.Replace(document, `"user":""`, `"user":"ghost"`, 1))
	_, err := b.MainUser()
	if err == nil || process.ExitErrorOf(err).Code != "user-not-found" {
		t.Errorf("got %v", err)
	}
}

func TestTheAgentListensInTheBoxesNetwork(t *testing.T) {
	h, b, main := Stage(t, running("busybox cat /proc/net/tcp"))
	listener, err := b.Listen(":4433")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	b.Begin(main, nil)
	// 4433, listening; nothing else is there.
	if got := h.output("main"); !strings.Contains(got, ":1151 00000000:0000 0A") || strings.Count(got, "\n") != 2 {
		t.Errorf("got %s", got)
	}
}
