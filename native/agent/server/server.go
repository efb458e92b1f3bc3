// Package server answers the host: docs/guest-protocol.md.
package server

import (
	"strconv"
	"strings"

	"a3s.dev/box/agent/box"
	"a3s.dev/box/agent/http2"
)

// Bounds of requests.
const (
	maxHeaderBytes   = 16 << 10
	maxDocumentBytes = 64 << 10
	maxSpecBytes     = 4 << 20
)

// Protocol versions that this agent speaks.
const (
	minProtocol = 1
	maxProtocol = 2
)

// Server answers for one box.
type Server struct {
	Box *box.Box
	// Version is this agent's own.
	Version string
	// PowerOff ends the guest; it is called once, after the answer was given.
	PowerOff func()

	order         *order
	woken, forked once
}

// reply is a document, or none.
type reply struct {
	status   int
	document []byte
}

var nothing = reply{status: 204}

// route is one line of the protocol's table. `{id}` is the process.
type route struct {
	method, path string
	// since is the version that brought it.
	since int
	// limit bounds the body; 0 for one that is not read as a whole.
	limit int
	// One of these answers: at once, in the order of what sets the guest up, or by itself.
	prompt func(s *Server, body []byte, id string) (reply, error)
	setUp  func(s *Server, body []byte) (reply, error)
	stream func(s *Server, t *http2.Stream, body []byte, id string)
}

var routes = []route{
	{method: "POST", path: "/v1/prepare", since: 2, limit: maxDocumentBytes, setUp: (*Server).prepare},
	{method: "POST", path: "/v1/rehearse", since: 2, limit: maxSpecBytes, setUp: (*Server).rehearse},
	{method: "POST", path: "/v1/wake", since: 2, limit: maxDocumentBytes, setUp: (*Server).wake},
	{method: "POST", path: "/v1/fork", since: 2, limit: maxDocumentBytes, setUp: (*Server).fork},
	{method: "POST", path: "/v1/freeze", since: 2, limit: maxDocumentBytes, setUp: (*Server).freeze},
	{method: "POST", path: "/v1/thaw", since: 2, limit: maxDocumentBytes, setUp: (*Server).thaw},
	{method: "PUT", path: "/v1/spec", limit: maxSpecBytes, setUp: (*Server).takeSpec},
	{method: "POST", path: "/v1/processes/main/start", limit: maxDocumentBytes, setUp: (*Server).startMain},
	{method: "POST", path: "/v1/processes", limit: maxSpecBytes, stream: (*Server).exec},
	{method: "POST", path: "/v1/processes/{id}/output", stream: (*Server).output},
	{method: "GET", path: "/v1/processes/{id}/exit", stream: (*Server).exit},
	{method: "PUT", path: "/v1/processes/{id}/stdin", stream: (*Server).stdin},
	{method: "GET", path: "/v1/processes/{id}", prompt: (*Server).process},
	{method: "DELETE", path: "/v1/processes/{id}", prompt: (*Server).forget},
	{method: "POST", path: "/v1/processes/{id}/signal", limit: maxDocumentBytes, prompt: (*Server).signal},
	{method: "POST", path: "/v1/processes/{id}/resize", limit: maxDocumentBytes, prompt: (*Server).resize},
	{method: "GET", path: "/v1/stats", prompt: (*Server).stats},
	{method: "GET", path: "/v1/hello", stream: (*Server).hello},
	{method: "GET", path: "/v1/state", stream: (*Server).state},
	{method: "POST", path: "/v1/poweroff", limit: maxDocumentBytes, stream: (*Server).powerOff},
}

// HTTP makes the HTTP/2 server of the control stream.
func (s *Server) HTTP() *http2.Server {
	s.order = newOrder()
	return &http2.Server{Handler: s.handle}
}

// handle finds the route of a request, and sees that its answer is begun in its turn.
func (s *Server) handle(t *http2.Stream) {
	route, id, err := find(t)
	if err != nil {
		writeError(t, err)
		return
	}
	if route.limit == 0 {
		s.dispatch(route, t, nil, id)
		return
	}
	t.Collect(route.limit, func(body []byte, err error) {
		if err != nil {
			writeError(t, err)
			return
		}
		s.dispatch(route, t, body, id)
	})
}

func (s *Server) dispatch(route *route, t *http2.Stream, body []byte, id string) {
	switch {
	case route.stream != nil:
		route.stream(s, t, body, id)
	case route.setUp != nil:
		if !s.order.setUp(func() { give(t)(route.setUp(s, body)) }) {
			writeError(t, errBusy)
		}
	default:
		s.order.after(id, func() { give(t)(route.prompt(s, body, id)) })
	}
}

// give answers a request with what was made of it.
func give(t *http2.Stream) func(reply, error) {
	return func(r reply, err error) {
		if err != nil {
			writeError(t, err)
			return
		}
		writeJSON(t, r)
	}
}

func find(t *http2.Stream) (*route, string, error) {
	if t.HeaderBytes > maxHeaderBytes {
		return nil, "", &Error{"too-large", "the request's headers are larger than " + strconv.Itoa(maxHeaderBytes) + " bytes"}
	}
	for index := range routes {
		route := &routes[index]
		if route.method != t.Method {
			continue
		}
		id, ok := match(route.path, t.Path)
		if !ok {
			continue
		}
		if route.path == "/v1/hello" {
			return route, id, nil
		}
		version, err := protocol(t)
		if err != nil {
			return nil, "", err
		}
		if version >= route.since {
			return route, id, nil
		}
	}
	return nil, "", &Error{"not-found", "there is no route " + strconv.QuoteToASCII(t.Method+" "+t.Path)}
}

// protocol is the version that host and agent agreed on.
func protocol(t *http2.Stream) (int, error) {
	if len(t.Protocols) == 1 && len(t.Protocols[0]) == 1 {
		if version := int(t.Protocols[0][0] - '0'); version >= minProtocol && version <= maxProtocol {
			return version, nil
		}
	}
	return 0, &Error{"protocol-unsupported", "a3s-protocol must be from " + strconv.Itoa(minProtocol) + " to " + strconv.Itoa(maxProtocol)}
}

// match compares a path with a pattern, which has at most one id.
func match(pattern, path string) (id string, ok bool) {
	before, after, found := strings.Cut(pattern, "{id}")
	if !found {
		return "", path == pattern
	}
	if len(path) <= len(before)+len(after) || !strings.HasPrefix(path, before) || !strings.HasSuffix(path, after) {
		return "", false
	}
	id = path[len(before) : len(path)-len(after)]
	return id, isID(id)
}

func isID(text string) bool {
	for index := range len(text) {
		if c := text[index]; (c < 'a' || c > 'z') && (c < '0' || c > '9') {
			return false
		}
	}
	return text != "" && len(text) <= 64
}
