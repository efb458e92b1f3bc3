package server

import (
	"errors"
	"net"
	"slices"
	"strings"
	"testing"

	"a3s.dev/box/agent/box"
	"a3s.dev/box/agent/box/process"
	"a3s.dev/box/agent/launchspec"
	"a3s.dev/box/agent/secrets"
)

var allPermissions = []string{
	launchspec.MayAttach, launchspec.MayExec, launchspec.MayFiles, launchspec.MayLogs, launchspec.MaySignals, launchspec.MayStats,
}

// guest is a confidential one that does nothing.
type guest struct{ spec *launchspec.Spec }

func (g *guest) TEE() string                     { return "simulated" }
func (g *guest) Spec() *launchspec.Spec          { return g.spec }
func (g *guest) Take([]byte) (*Taken, error)     { return nil, box.ErrSpecTaken }
func (g *guest) TakeCertificates([]byte)         {}
func (g *guest) Start() (*process.Handle, error) { return nil, box.ErrSpecMissing }
func (g *guest) ServeRATLS(conn net.Conn) error  { return conn.Close() }
func (g *guest) Reaching() <-chan struct{}       { return nil }

// Container permits one request, and is that of no pod.
func (g *guest) Container(ContainerBox) ConfidentialContainer { return &inPod{guest: g} }

type inPod struct {
	*guest
	left bool
}

func (c *inPod) TakeContainer(request []byte) (string, error) {
	if string(request) == "{}" {
		return "sha256:1", nil
	}
	return "", &launchspec.ContainerError{Rule: "containers.process.args", Reason: "it is another one than was asked for"}
}

func (c *inPod) Leave() error {
	c.left = true
	return nil
}

func (g *guest) BrokerConnection(<-chan struct{}) (net.Conn, error) {
	return nil, &Error{"conflict", "there is none"}
}
func (g *guest) Secrets(<-chan struct{}, int64) (secrets.Status, error) {
	return secrets.Status{}, box.ErrSpecMissing
}

func permitting(permissions ...string) *launchspec.Spec {
	return &launchspec.Spec{HostMay: permissions, StopSignal: "SIGINT"}
}

// codeFor is how a request is admitted: empty, or the refusal's code.
func codeFor(s *Server, method, path, id, body string) string {
	for index := range routes {
		if r := &routes[index]; r.method == method && r.path == path && r.in.has(s.Confidential != nil) {
			if err := s.admit(r, id, []byte(body)); err != nil {
				return codeOf(err)
			}
			return ""
		}
	}
	return "no such route"
}

func TestEveryRouteSaysWhoHasItAndWhoMay(t *testing.T) {
	for _, route := range routes {
		if route.in == 0 || route.may == nil {
			t.Errorf("%s %s does not say it", route.method, route.path)
		}
	}
}

func TestARouteThatDoesNotSaySoAdmitsNobody(t *testing.T) {
	forgotten := &route{method: "GET", path: "/v1/forgotten"}
	for _, s := range []*Server{{}, {Confidential: &guest{permitting(allPermissions...)}}} {
		if err := s.admit(forgotten, "", nil); codeOf(err) != "host-not-permitted" {
			t.Errorf("got %v", err)
		}
		if forgotten.in.has(s.Confidential != nil) {
			t.Error("it is there")
		}
	}
}

func TestPlainGuestsPermitTheirHostEverything(t *testing.T) {
	for _, route := range routes {
		if err := (&Server{}).admit(&route, "main", []byte(`{"signal":"SIGHUP"}`)); err != nil {
			t.Errorf("%s %s: %v", route.method, route.path, err)
		}
	}
}

// TestEachRouteNeedsItsPermission goes through every route: what admits a host there, and that
// nothing else does.
func TestEachRouteNeedsItsPermission(t *testing.T) {
	const anything = "anything"
	// By a field of its own; see TestAHostChoosesNetworksWhereTheSpecSaysSo.
	seen := map[string]bool{"PUT /v1/networks": true}
	for _, c := range []struct {
		method, path, id, body string
		by                     []string
	}{
		{"PUT", "/v1/launch-spec", "", "", []string{anything}},
		{"PUT", "/v1/certificates", "", "", []string{anything}},
		{"GET", "/v1/secrets", "", "", []string{anything}},
		{"POST", "/v1/ratls", "", "", []string{anything}},
		{"POST", "/v1/broker", "", "", []string{anything}},
		{"GET", "/v1/hello", "", "", []string{anything}},
		{"GET", "/v1/state", "", "", []string{anything}},
		{"POST", "/v1/poweroff", "", "", []string{anything}},
		{"GET", "/v1/containers", "", "", []string{anything}},
		{"PUT", "/v1/containers/{id}", "", "", []string{anything}},
		{"DELETE", "/v1/containers/{id}", "", "", []string{anything}},
		{"POST", "/v1/processes/main/start", "", "", []string{anything}},
		{"POST", "/v1/freeze", "", "", []string{"signals"}},
		{"POST", "/v1/thaw", "", "", []string{"signals"}},
		{"POST", "/v1/processes", "", "", []string{"exec"}},
		{"POST", "/v1/processes/{id}/output", "main", "", []string{"attach", "logs"}},
		{"POST", "/v1/processes/{id}/output", "e1", "", []string{"exec"}},
		{"GET", "/v1/processes/{id}/exit", "main", "", []string{anything}},
		{"GET", "/v1/processes/{id}/exit", "e1", "", []string{"exec"}},
		{"GET", "/v1/processes/{id}/ended", "main", "", []string{anything}},
		{"GET", "/v1/processes/{id}/ended", "e1", "", []string{"exec"}},
		{"PUT", "/v1/processes/{id}/stdin", "main", "", []string{"attach"}},
		{"PUT", "/v1/processes/{id}/stdin", "e1", "", []string{"exec"}},
		{"GET", "/v1/processes/{id}", "main", "", []string{anything}},
		{"GET", "/v1/processes/{id}", "e1", "", []string{"exec"}},
		{"DELETE", "/v1/processes/{id}", "main", "", []string{anything}},
		{"DELETE", "/v1/processes/{id}", "e1", "", []string{"exec"}},
		{"POST", "/v1/processes/{id}/signal", "main", `{"signal":"SIGINT"}`, []string{anything}},
		{"POST", "/v1/processes/{id}/signal", "main", `{"signal":"2"}`, []string{anything}},
		{"POST", "/v1/processes/{id}/signal", "main", `{"signal":"SIGKILL"}`, []string{anything}},
		{"POST", "/v1/processes/{id}/signal", "main", `{"signal":"9"}`, []string{anything}},
		{"POST", "/v1/processes/{id}/signal", "main", `{"signal":"SIGTERM"}`, []string{"signals"}},
		{"POST", "/v1/processes/{id}/signal", "e1", `{"signal":"SIGKILL"}`, []string{"exec"}},
		{"POST", "/v1/processes/{id}/resize", "main", "", []string{"attach"}},
		{"POST", "/v1/processes/{id}/resize", "e1", "", []string{"exec"}},
		{"GET", "/v1/stats", "", "", []string{"stats"}},
		{"GET", "/v1/top", "", "", []string{"stats"}},
	} {
		seen[c.method+" "+c.path] = true
		name := c.method + " " + c.path + " " + c.id + c.body
		free := slices.Contains(c.by, anything)
		for _, permission := range append([]string{""}, allPermissions...) {
			s := &Server{Confidential: &guest{permitting(permission)}}
			want := "host-not-permitted"
			if free || slices.Contains(c.by, permission) {
				want = ""
			}
			if got := codeFor(s, c.method, c.path, c.id, c.body); got != want {
				t.Errorf("%s by %q: got %q, want %q", name, permission, got, want)
			}
		}
		want := "spec-missing"
		if free && !strings.Contains(c.path, "signal") {
			want = ""
		}
		if got := codeFor(&Server{Confidential: &guest{}}, c.method, c.path, c.id, c.body); got != want {
			t.Errorf("%s before the spec: got %q, want %q", name, got, want)
		}
	}
	for _, route := range routes {
		if route.in.has(true) && !seen[route.method+" "+route.path] {
			t.Errorf("%s %s is not tried", route.method, route.path)
		}
	}
}

func TestAHostChoosesNetworksWhereTheSpecSaysSo(t *testing.T) {
	most := int64(1)
	for want, spec := range map[string]*launchspec.Spec{
		"spec-missing":           nil,
		"networks-not-permitted": permitting(allPermissions...),
		"":                       {HostNetworks: &most},
	} {
		s := &Server{Confidential: &guest{spec}}
		if got := codeFor(s, "PUT", "/v1/networks", "", "{}"); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

func TestARefusalNamesThePermission(t *testing.T) {
	s := &Server{Confidential: &guest{permitting("exec")}}
	var refused *Error
	for index := range routes {
		if r := &routes[index]; r.path == "/v1/processes/{id}/output" {
			if err := s.admit(r, "main", nil); !errors.As(err, &refused) || !strings.HasSuffix(refused.Message, "permit the host logs or attach") {
				t.Errorf("got %v", err)
			}
		}
	}
}

func TestASignalThatIsNoneIsInvalid(t *testing.T) {
	s := &Server{Confidential: &guest{permitting(allPermissions...)}}
	for _, body := range []string{"", "{}", `{"signal":"SIGNOPE"}`, `{"signal":"0"}`, `{"signal":"SIGKILL","signal":"SIGHUP"}`} {
		if got := codeFor(s, "POST", "/v1/processes/{id}/signal", "main", body); got != "invalid" {
			t.Errorf("%s: got %q", body, got)
		}
	}
}

func TestNoConfidentialGuestHasPrivilegedProcesses(t *testing.T) {
	privileged := box.ExecOptions{Privileged: true}
	if err := (&Server{Confidential: &guest{permitting(allPermissions...)}}).permitOptions(privileged); codeOf(err) != "host-not-permitted" {
		t.Errorf("got %v", err)
	}
	if err := (&Server{}).permitOptions(privileged); err != nil {
		t.Error(err)
	}
}
