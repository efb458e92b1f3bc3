package server

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"a3s.dev/box/agent/box"
	"a3s.dev/box/agent/box/cgroup"
	"a3s.dev/box/agent/http2"
	"a3s.dev/box/agent/httpstream"
	"a3s.dev/box/agent/launchspec"
	"a3s.dev/box/agent/secrets"
	"a3s.dev/box/agent/stream"
)

// taking is a confidential guest that takes what is not "other".
type taking struct {
	guest
	store        *secrets.Store
	certificates []byte
}

func (g *taking) Take(text []byte) (*Taken, error) {
	if string(text) == "other" {
		return nil, &Error{"launch-spec-mismatch", "it is another"}
	}
	g.spec = permitting()
	return &Taken{SpecDigest: [32]byte{1}, Instance: [16]byte{2}}, nil
}

func (g *taking) TakeCertificates(table []byte) { g.certificates = bytes.Clone(table) }

func (g *taking) Secrets(done <-chan struct{}, seen int64) (secrets.Status, error) {
	return g.store.Await(done, seen), nil
}

// ServeRATLS answers each line in capitals.
func (g *taking) ServeRATLS(conn net.Conn) error {
	lines := bufio.NewReader(conn)
	for {
		line, err := lines.ReadString('\n')
		if err != nil {
			return err
		}
		if _, err := conn.Write([]byte(strings.ToUpper(line))); err != nil {
			return err
		}
	}
}

// client is a host on a socket.
type client struct {
	t    *testing.T
	http *http.Client
	// protocol is the version that requests are of.
	protocol int
}

// server is one of a control stream.
type server interface {
	Serve(listener net.Listener) error
	Close() error
}

// untrusting serves as a confidential guest does.
func untrusting(handler stream.Handler) server { return (&httpstream.Server{Handler: handler}).HTTP() }

func serve(t *testing.T, s server) *client {
	t.Helper()
	path := filepath.Join(t.TempDir(), "s")
	listener, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	go func() { _ = s.Serve(listener) }()
	dial := func(ctx context.Context) (net.Conn, error) { return (&net.Dialer{}).DialContext(ctx, "unix", path) }
	transport := &http.Transport{
		Protocols:   new(http.Protocols),
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) { return dial(ctx) },
	}
	transport.Protocols.SetUnencryptedHTTP2(true)
	t.Cleanup(func() {
		transport.CloseIdleConnections()
		_ = s.Close()
	})
	return &client{t, &http.Client{Transport: transport}, minConfidential}
}

func (c *client) do(method, path string, body io.Reader) *http.Response {
	c.t.Helper()
	request, err := http.NewRequest(method, "http://guest"+path, body)
	if err != nil {
		c.t.Fatal(err)
	}
	request.Header.Set("a3s-protocol", strconv.Itoa(c.protocol))
	response, err := c.http.Do(request)
	if err != nil {
		c.t.Fatal(err)
	}
	c.t.Cleanup(func() { _ = response.Body.Close() })
	return response
}

func (c *client) call(method, path, body string) (int, string) {
	c.t.Helper()
	response := c.do(method, path, strings.NewReader(body))
	text, err := io.ReadAll(response.Body)
	if err != nil {
		c.t.Fatal(err)
	}
	return response.StatusCode, string(text)
}

func confidential(t *testing.T, wanted ...launchspec.Secret) (*client, *taking, chan struct{}) {
	t.Helper()
	ended := make(chan struct{})
	g := &taking{store: secrets.NewStore(wanted, time.Hour)}
	t.Cleanup(func() { _ = g.store.Wipe() })
	s := &Server{Box: box.New(nil, &cgroup.Cgroup{}, -1, nil), Confidential: g, PowerOff: func() { close(ended) }}
	return serve(t, untrusting(s.Handler())), g, ended
}

// endsOnceClosed requires that a guest which has answered goes on until its host has closed the
// connection, and ends then. Requests that end on it meanwhile change nothing.
func (c *client) endsOnceClosed(ended <-chan struct{}) {
	c.t.Helper()
	for range 50 {
		if c.answered("GET", "/v1/state") {
			c.t.Fatal("another request is answered")
		}
	}
	select {
	case <-ended:
		c.t.Fatal("it has ended before its answer was read")
	default:
	}
	c.http.CloseIdleConnections()
	<-ended
}

func TestAConfidentialGuestSaysSo(t *testing.T) {
	c, _, _ := confidential(t)
	status, text := c.call("GET", "/v1/hello", "")
	var hello struct {
		Protocol struct{ Minimum, Maximum int }
		TEE      string
	}
	if err := json.Unmarshal([]byte(text), &hello); err != nil || status != 200 {
		t.Fatalf("got %d %s", status, text)
	}
	if hello.TEE != "simulated" || hello.Protocol.Minimum != 3 || hello.Protocol.Maximum != maxProtocol || strings.Contains(text, "uptimeUsec") {
		t.Errorf("got %s", text)
	}
}

// answers says whether a guest of this kind has a route in any version.
func answers(method, path string, confidential bool) bool {
	return slices.ContainsFunc(routes, func(r route) bool { return r.method == method && r.path == path && r.in.has(confidential) })
}

func TestAConfidentialGuestHasNoRoutesOfPlainOnes(t *testing.T) {
	c, _, _ := confidential(t)
	for _, route := range routes {
		if answers(route.method, route.path, true) {
			continue
		}
		if status, text := c.call(route.method, route.path, ""); status != 404 || !strings.Contains(text, `"code":"not-found"`) {
			t.Errorf("%s %s: got %d %s", route.method, route.path, status, text)
		}
	}
	s := &Server{Box: box.New(nil, &cgroup.Cgroup{}, -1, nil), PowerOff: func() {}}
	plain := serve(t, &http2.Server{Handler: s.Handler()})
	for _, route := range routes {
		if answers(route.method, route.path, false) {
			continue
		}
		if status, text := plain.call(route.method, route.path, ""); status != 404 {
			t.Errorf("%s %s: got %d %s", route.method, route.path, status, text)
		}
	}
}

func TestTheLaunchSpecIsAnswered(t *testing.T) {
	c, g, _ := confidential(t)
	status, text := c.call("PUT", "/v1/launch-spec", "spec")
	want := `{"specDigest":"01` + strings.Repeat("00", 31) + `","instance":"02` + strings.Repeat("00", 15) + `"}`
	if status != 200 || text != want {
		t.Errorf("got %d %s, want %s", status, text, want)
	}
	if status, _ := c.call("PUT", "/v1/certificates", "table"); status != 204 || string(g.certificates) != "table" {
		t.Errorf("got %d, %q", status, g.certificates)
	}
	if status, text := c.call("PUT", "/v1/certificates", strings.Repeat("x", 64<<10+1)); status != 413 {
		t.Errorf("got %d %s", status, text)
	}
	if status, text := c.call("PUT", "/v1/launch-spec", strings.Repeat("x", 4<<20+1)); status != 413 {
		t.Errorf("got %d %s", status, text)
	}
}

// answered says whether a request is answered at all.
func (c *client) answered(method, path string) bool {
	request, err := http.NewRequest(method, "http://guest"+path, nil)
	if err != nil {
		c.t.Fatal(err)
	}
	request.Header.Set("a3s-protocol", strconv.Itoa(c.protocol))
	response, err := c.http.Do(request)
	if err != nil {
		return false
	}
	_ = response.Body.Close()
	return true
}

func TestAGuestThatRefusesItsLaunchSpecSaysWhyAndEnds(t *testing.T) {
	c, g, ended := confidential(t)
	status, text := c.call("PUT", "/v1/launch-spec", "other")
	if status != 403 || text != `{"error":{"code":"launch-spec-mismatch","message":"it is another"}}` {
		t.Errorf("got %d %s", status, text)
	}
	for _, request := range [][2]string{{"GET", "/v1/hello"}, {"GET", "/v1/secrets"}, {"PUT", "/v1/launch-spec"}} {
		if c.answered(request[0], request[1]) {
			t.Errorf("%s is answered", request)
		}
	}
	if g.spec != nil {
		t.Error("it took another launch spec")
	}
	c.endsOnceClosed(ended)
}

func TestASecretsReportComesWhenSomethingIsNew(t *testing.T) {
	c, g, _ := confidential(t, launchspec.Secret{Name: "token", AllowAnyInjector: true, Target: launchspec.SecretTarget{Kind: launchspec.TargetFile}})
	_, text := c.call("GET", "/v1/secrets", "")
	var document struct {
		Version  int64
		State    string
		Deadline time.Time
		Secrets  []struct {
			Name      string
			Delivered bool
		}
	}
	if err := json.Unmarshal([]byte(text), &document); err != nil {
		t.Fatal(err)
	}
	if document.Version != 1 || document.State != "waiting" || document.Deadline.IsZero() || document.Secrets[0].Name != "token" || document.Secrets[0].Delivered {
		t.Errorf("got %s", text)
	}
	later := make(chan string)
	go func() {
		_, text := c.call("GET", "/v1/secrets?seen=1", "")
		later <- text
	}()
	if err := g.store.Deliver("token", []byte("sesame")); err != nil {
		t.Fatal(err)
	}
	text = <-later
	if !strings.HasPrefix(text, `{"version":2,"state":"ready"`) || !strings.HasSuffix(text, `"secrets":[{"name":"token","delivered":true}]}`) || strings.Contains(text, "sesame") {
		t.Errorf("got %s", text)
	}
	for _, query := range []string{"?seen=", "?seen=-1", "?seen=01", "?seen=1&seen=1", "?seen=x", "?other=1"} {
		if status, text := c.call("GET", "/v1/secrets"+query, ""); status != 400 {
			t.Errorf("%s: got %d %s", query, status, text)
		}
	}
}

func TestBytesOfRATLSAreCarriedBothWays(t *testing.T) {
	c, g, _ := confidential(t)
	if status, text := c.call("POST", "/v1/ratls", ""); status != 409 || !strings.Contains(text, "spec-missing") {
		t.Errorf("before the spec: got %d %s", status, text)
	}
	g.spec = permitting()
	carriesLines(t, c, "/v1/ratls")
}

func TestBytesOfABrokerAreCarriedBothWays(t *testing.T) {
	c, _, _ := confidential(t)
	c.protocol = 11
	carriesLines(t, c, "/v1/broker")
}

func TestAHostThatChoosesTooMuchOfNetworksIsRefused(t *testing.T) {
	const card = `{"device":"eth0","mac":"02:42:0a:59:01:02","mtu":1500,"address":"10.89.1.2","prefixLength":24%s}`
	networks := func(more, rest string) string {
		return `{"cards":[` + strings.Replace(card, "%s", more, 1) + `],"nameservers":[],"search":[]` + rest + `}`
	}
	most := int64(1)
	word := permitting()
	word.HostNetworks = &most
	named := permitting()
	named.HostNetworks, named.HostNames = &most, &[]string{"db"}
	for name, ask := range map[string]struct {
		spec   *launchspec.Spec
		body   string
		status int
		says   string
	}{
		"before the spec":  {nil, networks("", ""), 409, `"code":"spec-missing"`},
		"without the word": {permitting(allPermissions...), networks("", ""), 403, `"code":"networks-not-permitted"`},
		"its rule":         {permitting(), networks("", ""), 403, `"rule":"hostNetworks"`},
		"names":            {word, networks("", `,"hosts":[{"name":"db","address":"10.89.1.3"}]`), 403, `lines of /etc/hosts","rule":"hostNetworks"`},
		"another name":     {named, networks("", `,"hosts":[{"name":"web","address":"10.89.1.3"}]`), 403, `not in hostNames","rule":"hostNetworks"`},
		"a name of all":    {named, networks("", `,"hosts":[{"name":"db","address":"127.0.0.1"}]`), 400, `hosts`},
		"a route":          {word, networks("", `,"routes":[{"to":"127.0.0.0/8"}]`), 400, `unknown key \"routes\"`},
		"a loopback":       {word, strings.Replace(networks("", ""), "10.89.1.2", "127.0.0.2", 1), 400, `cards[0].address`},
		"IPv6 garbage":     {word, networks(`,"ipv6":{"address":"\u0000","prefixLength":1e9,"router":"","routerMac":""}`, ""), 400, `"code":"invalid"`},
		"a gateway":        {word, networks("", `,"gateway":{"device":"eth0","address":"10.90.0.1"}`), 400, `gateway.address`},
		"a long list":      {word, `{"cards":[` + strings.Repeat("{},", 40000) + `{}],"nameservers":[],"search":[]}`, 413, `"code":"too-large"`},
	} {
		t.Run(name, func(t *testing.T) {
			c, g, _ := confidential(t)
			g.spec = ask.spec
			c.protocol = 19
			status, text := c.call("PUT", "/v1/networks", ask.body)
			if status != ask.status || !strings.Contains(text, ask.says) {
				t.Errorf("got %d %s", status, text)
			}
		})
	}
	c, g, _ := confidential(t)
	g.spec, c.protocol = word, 17
	if status, _ := c.call("PUT", "/v1/networks", networks("", "")); status != 404 {
		t.Errorf("in version 17: got %d", status)
	}
}

// fetching is a guest that connects to its broker before it has taken its launch spec.
type fetching struct {
	taking
	reaching, carried chan struct{}
}

func (g *fetching) Reaching() <-chan struct{} { return g.reaching }

func (g *fetching) Take(text []byte) (*Taken, error) {
	close(g.reaching)
	<-g.carried
	return g.taking.Take(text)
}

func (g *fetching) BrokerConnection(gone <-chan struct{}) (net.Conn, error) {
	select {
	case <-g.reaching:
	default:
		return nil, &Error{"conflict", "it connects to nothing yet"}
	}
	close(g.carried)
	return g.taking.BrokerConnection(gone)
}

// The host asks for the connection once it has sent the launch spec, and gets it before the answer.
func TestABrokerIsReachedWhileTheLaunchSpecIsTaken(t *testing.T) {
	g := &fetching{reaching: make(chan struct{}), carried: make(chan struct{})}
	s := &Server{Box: &box.Box{}, Confidential: g}
	c := serve(t, untrusting(s.Handler()))
	c.protocol = 11
	answered := make(chan int, 1)
	go func() {
		status, _ := c.call("PUT", "/v1/launch-spec", "{}")
		answered <- status
	}()
	<-g.reaching
	carriesLines(t, c, "/v1/broker")
	if status := <-answered; status != 200 {
		t.Errorf("got %d", status)
	}
}

func TestAHostThatHasNothingToCarryIsTold(t *testing.T) {
	s := &Server{Box: &box.Box{}, Confidential: &guest{}}
	c := serve(t, untrusting(s.Handler()))
	c.protocol = 11
	if status, text := c.call("POST", "/v1/broker", ""); status != 409 || !strings.Contains(text, `"conflict"`) {
		t.Errorf("got %d %s", status, text)
	}
}

// carriesLines has the other end answer each line in capitals.
func carriesLines(t *testing.T, c *client, path string) {
	t.Helper()
	in, out := io.Pipe()
	response := c.do("POST", path, in)
	if response.StatusCode != 200 {
		t.Fatalf("got %d", response.StatusCode)
	}
	lines := bufio.NewReader(response.Body)
	for _, size := range []int{1, 100, 300_000} {
		go func() { _, _ = io.WriteString(out, strings.Repeat("a", size)+"\n") }()
		line, err := lines.ReadString('\n')
		if err != nil || line != strings.Repeat("A", size)+"\n" {
			t.Fatalf("got %d bytes, %v, want %d", len(line), err, size)
		}
	}
	if err := out.Close(); err != nil {
		t.Fatal(err)
	}
	if rest, err := io.ReadAll(lines); err != nil || len(rest) != 0 {
		t.Errorf("got %q, %v", rest, err)
	}
}

func TestABrokenGuestReportsWhyAndEnds(t *testing.T) {
	ended := make(chan struct{})
	c := serve(t, untrusting(Broken(&Error{"tee-unavailable", "there is none"}, func() { close(ended) })))
	status, text := c.call("GET", "/v1/hello", "")
	if status != 500 || !strings.Contains(text, `"code":"tee-unavailable","message":"there is none"`) {
		t.Errorf("got %d %s", status, text)
	}
	c.endsOnceClosed(ended)
}

// A host that reads nothing keeps a refusal from being written, and must not keep the guest by it.
func TestAHostThatReadsNothingIsNotWaitedForLong(t *testing.T) {
	reads := make(chan struct{})
	defer close(reads)
	within(time.Millisecond, func() { <-reads })
	done := false
	within(time.Hour, func() { done = true })
	if !done {
		t.Error("it was not waited for")
	}
}

func TestALaunchSpecThatIsTooLargeEndsTheGuestLikeAnyOther(t *testing.T) {
	c, g, ended := confidential(t)
	status, text := c.call("PUT", "/v1/launch-spec", strings.Repeat(" ", maxSpecBytes+1))
	if status != 413 || !strings.Contains(text, `"code":"too-large"`) || g.spec != nil {
		t.Errorf("got %d %s", status, text)
	}
	c.endsOnceClosed(ended)
}

// BrokerConnection has one connection, to a broker that answers each line in capitals.
func (g *taking) BrokerConnection(<-chan struct{}) (net.Conn, error) {
	ours, theirs := net.Pipe()
	go func() { _ = g.ServeRATLS(ours) }()
	return theirs, nil
}
