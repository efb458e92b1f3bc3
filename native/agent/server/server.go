// Package server serves the host: docs/development/guest-protocol.md.
package server

import (
	"strconv"
	"strings"

	"a3s.dev/box/agent/box"
	"a3s.dev/box/agent/launchspec"
	"a3s.dev/box/agent/stream"
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
	maxProtocol = 22
	// minConfidential is the first that knows of confidential guests.
	minConfidential = 3
	// minFrozen is the first that has a code of its own for a box that is frozen.
	minFrozen = 6
	// minContainers is the first with pods.
	minContainers = 12
	// minConfidentialPods is the first with pods in confidential guests.
	minConfidentialPods = 20
)

// Server serves the host for one box.
type Server struct {
	Box *box.Box
	// Version is this agent's own.
	Version string
	// PowerOff ends the guest; it is called once, after the answer was given.
	PowerOff func()
	// Confidential has the other parts of a confidential guest; nil in a plain one.
	Confidential Confidential

	// container is Confidential for a container of a confidential pod; nil for any other server.
	container ConfidentialContainer

	queue            *requestQueue
	reseeded, forked once
	containers       containers
}

// reply is a document, or none.
type reply struct {
	status   int
	document []byte
}

var nothing = reply{status: 204}

// route is a row of the protocol's table. `{id}` is the process.
//
// A route that a later version changed is there once for each way in which it is answered, the
// latest first.
type route struct {
	method, path string
	// in says which guests have the route, and may what the launch spec of a confidential guest
	// must permit the host. Every route has both.
	in  guests
	may access
	// since is the version that brought it.
	since int
	// fatal: a confidential guest that refuses it ends.
	fatal bool
	// limit bounds the body; 0 for one that is not read as a whole.
	limit int
	// One of these handlers is set: it answers at once, in the order of requests that set the guest
	// up, or on its own.
	prompt func(s *Server, body []byte, id string) (reply, error)
	setUp  func(s *Server, body []byte) (reply, error)
	stream func(s *Server, t stream.Stream, body []byte, id string)
}

var routes = []route{
	{method: "POST", path: "/v1/prepare", in: plainGuests, may: free, since: 2, limit: maxDocumentBytes, setUp: (*Server).prepare},
	{method: "POST", path: "/v1/rehearse", in: plainGuests, may: free, since: 2, limit: maxSpecBytes, setUp: (*Server).warmUp},
	{method: "POST", path: "/v1/wake", in: plainGuests, may: free, since: 2, limit: maxDocumentBytes, setUp: (*Server).reseed},
	{method: "POST", path: "/v1/fork", in: plainGuests, may: free, since: 2, limit: maxDocumentBytes, setUp: (*Server).fork},
	{method: "POST", path: "/v1/freeze", in: plainGuests, may: free, since: 2, limit: maxDocumentBytes, setUp: (*Server).freeze},
	{method: "POST", path: "/v1/thaw", in: plainGuests, may: free, since: 2, limit: maxDocumentBytes, setUp: (*Server).thaw},
	{method: "POST", path: "/v1/freeze", in: confidentialGuests, may: may(launchspec.MaySignals), since: 4, limit: maxDocumentBytes, setUp: (*Server).freeze},
	{method: "POST", path: "/v1/thaw", in: confidentialGuests, may: may(launchspec.MaySignals), since: 4, limit: maxDocumentBytes, setUp: (*Server).thaw},
	{method: "PUT", path: "/v1/resources", in: plainGuests, may: free, since: 4, limit: maxDocumentBytes, setUp: (*Server).putResources},
	{method: "PUT", path: "/v1/networks", in: plainGuests, may: free, since: 17, limit: maxDocumentBytes, setUp: (*Server).putNetworks},
	{method: "PUT", path: "/v1/networks", in: plainGuests, may: free, since: 9, limit: maxDocumentBytes, setUp: (*Server).putUnresolvedNetworks},
	{method: "PUT", path: "/v1/networks", in: confidentialGuests, may: chooseNetworks, since: 18, limit: maxDocumentBytes, setUp: (*Server).putHostNetworks},
	{method: "PUT", path: "/v1/spec", in: plainGuests, may: free, limit: maxSpecBytes, setUp: (*Server).takeSpec},
	{method: "PUT", path: "/v1/pod", in: plainGuests, may: free, since: 12, limit: maxSpecBytes, setUp: (*Server).takePod},
	{method: "GET", path: "/v1/containers", in: plainGuests, may: free, since: 12, stream: (*Server).listContainers},
	{method: "PUT", path: "/v1/containers/{id}", in: plainGuests, may: free, since: 12, limit: maxSpecBytes, stream: (*Server).takeContainer},
	{method: "DELETE", path: "/v1/containers/{id}", in: plainGuests, may: free, since: 12, stream: (*Server).removeContainer},
	{method: "GET", path: "/v1/containers", in: confidentialGuests, may: free, since: minConfidentialPods, stream: (*Server).listContainers},
	{method: "PUT", path: "/v1/containers/{id}", in: confidentialGuests, may: free, since: minConfidentialPods, limit: maxSpecBytes, stream: (*Server).takeContainer},
	{method: "DELETE", path: "/v1/containers/{id}", in: confidentialGuests, may: free, since: minConfidentialPods, stream: (*Server).removeContainer},
	{method: "PUT", path: "/v1/launch-spec", in: confidentialGuests, may: free, since: 3, fatal: true, limit: maxSpecBytes, setUp: (*Server).takeLaunchSpec},
	{method: "PUT", path: "/v1/certificates", in: confidentialGuests, may: free, since: 3, limit: maxDocumentBytes, prompt: (*Server).takeCertificates},
	{method: "GET", path: "/v1/secrets", in: confidentialGuests, may: free, since: 3, stream: (*Server).secrets},
	{method: "POST", path: "/v1/ratls", in: confidentialGuests, may: free, since: 3, stream: (*Server).ratls},
	{method: "POST", path: "/v1/broker", in: confidentialGuests, may: free, since: 11, stream: (*Server).broker},
	{method: "POST", path: "/v1/processes/main/start", in: allGuests, may: free, limit: maxDocumentBytes, setUp: (*Server).startMain},
	{method: "POST", path: "/v1/processes", in: allGuests, may: may(launchspec.MayExec), since: 7, limit: maxSpecBytes, stream: (*Server).exec},
	{method: "POST", path: "/v1/processes", in: allGuests, may: may(launchspec.MayExec), since: 4, limit: maxSpecBytes, stream: (*Server).execGrouped},
	{method: "POST", path: "/v1/processes", in: allGuests, may: may(launchspec.MayExec), limit: maxSpecBytes, stream: (*Server).execUngrouped},
	{method: "POST", path: "/v1/processes/{id}/output", in: allGuests, may: ofMain(launchspec.MayLogs, launchspec.MayAttach), stream: (*Server).output},
	{method: "GET", path: "/v1/processes/{id}/exit", in: allGuests, may: freeOfMain, stream: (*Server).exit},
	{method: "GET", path: "/v1/processes/{id}/ended", in: allGuests, may: freeOfMain, since: 4, stream: (*Server).ended},
	{method: "PUT", path: "/v1/processes/{id}/stdin", in: allGuests, may: ofMain(launchspec.MayAttach), stream: (*Server).stdin},
	{method: "GET", path: "/v1/processes/{id}", in: allGuests, may: freeOfMain, prompt: (*Server).process},
	{method: "DELETE", path: "/v1/processes/{id}", in: allGuests, may: freeOfMain, stream: (*Server).forget},
	{method: "POST", path: "/v1/processes/{id}/signal", in: allGuests, may: maySignal, limit: maxDocumentBytes, prompt: (*Server).signal},
	{method: "POST", path: "/v1/processes/{id}/resize", in: allGuests, may: ofMain(launchspec.MayAttach), limit: maxDocumentBytes, prompt: (*Server).resize},
	{method: "GET", path: "/v1/top", in: allGuests, may: may(launchspec.MayStats), since: 4, stream: (*Server).top},
	{method: "GET", path: "/v1/stats", in: allGuests, may: may(launchspec.MayStats), since: 4, prompt: (*Server).detailedStats},
	{method: "GET", path: "/v1/stats", in: allGuests, may: may(launchspec.MayStats), prompt: (*Server).stats},
	{method: "POST", path: "/v1/files/stat", in: plainGuests, may: free, since: 7, limit: maxDocumentBytes, stream: (*Server).statFile},
	{method: "POST", path: "/v1/files/read", in: plainGuests, may: free, since: 7, limit: maxDocumentBytes, stream: (*Server).readFiles},
	{method: "POST", path: "/v1/files/export", in: plainGuests, may: free, since: 7, limit: maxDocumentBytes, stream: (*Server).exportFiles},
	{method: "POST", path: "/v1/files/changes", in: plainGuests, may: free, since: 7, limit: maxDocumentBytes, stream: (*Server).listChanges},
	{method: "POST", path: "/v1/files/layer", in: plainGuests, may: free, since: 7, limit: maxDocumentBytes, stream: (*Server).readLayer},
	{method: "POST", path: "/v1/files/sync", in: plainGuests, may: free, since: 8, limit: maxDocumentBytes, stream: (*Server).syncFiles},
	{method: "PUT", path: "/v1/files", in: plainGuests, may: free, since: 7, stream: (*Server).writeFiles},
	{method: "POST", path: "/v1/shares/changes", in: plainGuests, may: free, since: 8, limit: maxDocumentBytes, stream: (*Server).shareChanges},
	{method: "POST", path: "/v1/sockets/connect", in: plainGuests, may: free, since: 10, stream: (*Server).connect},
	{method: "POST", path: "/v1/sockets/accept", in: plainGuests, may: free, since: 10, stream: (*Server).accept},
	{method: "POST", path: "/v1/sockets/dial", in: plainGuests, may: free, since: 14, stream: (*Server).dial},
	{method: "GET", path: "/v1/hello", in: allGuests, may: free, stream: (*Server).hello},
	{method: "GET", path: "/v1/state", in: allGuests, may: free, stream: (*Server).state},
	{method: "POST", path: "/v1/poweroff", in: allGuests, may: free, limit: maxDocumentBytes, stream: (*Server).powerOff},
}

// Handler serves the requests of the control stream.
func (s *Server) Handler() stream.Handler {
	s.queue = newRequestQueue()
	return s.handle
}

// handle finds the route of a request, and puts the request in the queue.
func (s *Server) handle(t stream.Stream) {
	if s.over(t) {
		return
	}
	of, route, id, err := s.find(t)
	if err != nil {
		writeError(t, err)
		return
	}
	if route.limit == 0 {
		of.dispatch(route, t, nil, id)
		return
	}
	t.Collect(route.limit, func(body []byte, err error) {
		if err != nil {
			of.refuse(route, t, err)
			return
		}
		of.dispatch(route, t, body, id)
	})
}

func (s *Server) dispatch(route *route, t stream.Stream, body []byte, id string) {
	if err := s.admit(route, id, body); err != nil {
		writeError(t, err)
		return
	}
	switch {
	case route.stream != nil:
		route.stream(s, t, body, id)
	case route.setUp != nil:
		if !s.queue.setUp(func() {
			if !s.over(t) {
				s.setUp(route, t, body)
			}
		}) {
			writeError(t, errBusy)
		}
	default:
		s.queue.after(id, func() {
			if !s.over(t) {
				give(t)(route.prompt(s, body, id))
			}
		})
	}
}

func (s *Server) setUp(route *route, t stream.Stream, body []byte) {
	answer, err := route.setUp(s, body)
	if err != nil {
		s.refuse(route, t, err)
		return
	}
	writeJSON(t, answer)
}

// over resets the stream of a request that comes after one that ended the guest.
func (s *Server) over(t stream.Stream) bool {
	if !s.queue.ended.Load() {
		return false
	}
	t.Reset(stream.InternalError)
	return true
}

// refuse answers with an error. On a fatal route it also ends the guest, which then answers no
// other request.
func (s *Server) refuse(route *route, t stream.Stream, err error) {
	if route.fatal {
		s.queue.ended.Store(true)
	}
	writeError(t, err)
	if route.fatal {
		s.endOnceClosed(t)
	}
}

// give answers a request with the handler's result.
func give(t stream.Stream) func(reply, error) {
	return func(r reply, err error) {
		if err != nil {
			writeError(t, err)
			return
		}
		writeJSON(t, r)
	}
}

// find returns the route of a request, and who serves it: this server, or that of a container.
func (s *Server) find(t stream.Stream) (*Server, *route, string, error) {
	if t.Head().HeaderBytes > maxHeaderBytes {
		return nil, nil, "", &Error{"too-large", "the request's headers are larger than " + strconv.Itoa(maxHeaderBytes) + " bytes"}
	}
	path, container := inContainer(t.Head().Path)
	for index := range routes {
		route := &routes[index]
		if route.method != t.Head().Method || container != "" && !ofContainers(route.path) {
			continue
		}
		id, ok := match(route.path, path)
		if !ok || !route.in.has(s.Confidential != nil) {
			continue
		}
		if route.path == "/v1/hello" {
			return s, route, id, nil
		}
		version, err := s.protocol(t)
		if err != nil {
			return nil, nil, "", err
		}
		switch {
		case version < route.since:
		case container == "":
			return s, route, id, nil
		case version >= s.minPods():
			of, err := s.containers.get(container)
			return of, route, id, err
		}
	}
	return nil, nil, "", &Error{"not-found", "there is no route " + strconv.QuoteToASCII(t.Head().Method+" "+t.Head().Path)}
}

// minPods is the first version in which this guest can be a pod.
func (s *Server) minPods() int {
	if s.Confidential != nil {
		return minConfidentialPods
	}
	return minContainers
}

// minimum is the lowest version that this guest speaks.
func (s *Server) minimum() int {
	if s.Confidential != nil {
		return minConfidential
	}
	return minProtocol
}

// protocol is the version that host and agent agreed on.
func (s *Server) protocol(t stream.Stream) (int, error) {
	if version := asked(t); version >= s.minimum() && version <= maxProtocol {
		return version, nil
	}
	return 0, &Error{"protocol-unsupported", "a3s-protocol must be from " + strconv.Itoa(s.minimum()) + " to " + strconv.Itoa(maxProtocol)}
}

// asked is the version that a request is of; below 0 where it names none.
func asked(t stream.Stream) int {
	if len(t.Head().Protocols) != 1 {
		return -1
	}
	return parseNumber(t.Head().Protocols[0], maxProtocol)
}

// parseNumber reads a number from 0 to max in its one spelling; -1 where the text is none.
func parseNumber(text string, max int) int {
	number, err := strconv.Atoi(text)
	if err != nil || number < 0 || number > max || strconv.Itoa(number) != text {
		return -1
	}
	return number
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
