// Package server answers the host: docs/guest-protocol.md.
package server

import (
	"net/http"
	"strconv"
	"strings"

	"a3s.dev/box/agent/box"
)

// Bounds of requests.
const (
	maxHeaderBytes   = 16 << 10
	maxDocumentBytes = 64 << 10
	maxSpecBytes     = 4 << 20

	maxStreams       = 256
	maxFrameBytes    = 1 << 20
	streamWindow     = 128 << 10
	connectionWindow = 4<<20 - 1
)

// Protocol versions that this agent speaks.
const (
	minProtocol = 1
	maxProtocol = 1
)

// protocolHeader carries the version that host and agent agreed on.
const protocolHeader = "A3s-Protocol"

// Server answers for one box.
type Server struct {
	Box *box.Box
	// Version is this agent's own.
	Version string
	// PowerOff ends the guest; it is called once, after the answer was given.
	PowerOff func()
}

// route is one line of the protocol's table. `{id}` is the process.
type route struct {
	method, path string
	// limit bounds the body; 0 for one that is a stream or absent.
	limit  int64
	handle func(s *Server, w http.ResponseWriter, r *http.Request, id string) error
}

var routes = []route{
	{"GET", "/v1/hello", 0, (*Server).hello},
	{"GET", "/v1/state", 0, (*Server).state},
	{"PUT", "/v1/spec", maxSpecBytes, (*Server).takeSpec},
	{"POST", "/v1/processes/main/start", maxDocumentBytes, (*Server).startMain},
	{"POST", "/v1/processes", maxSpecBytes, (*Server).exec},
	{"GET", "/v1/processes/{id}", 0, (*Server).process},
	{"GET", "/v1/processes/{id}/exit", 0, (*Server).exit},
	{"POST", "/v1/processes/{id}/output", 0, (*Server).output},
	{"PUT", "/v1/processes/{id}/stdin", 0, (*Server).stdin},
	{"POST", "/v1/processes/{id}/signal", maxDocumentBytes, (*Server).signal},
	{"POST", "/v1/processes/{id}/resize", maxDocumentBytes, (*Server).resize},
	{"DELETE", "/v1/processes/{id}", 0, (*Server).forget},
	{"GET", "/v1/stats", 0, (*Server).stats},
	{"POST", "/v1/poweroff", maxDocumentBytes, (*Server).powerOff},
}

// HTTP makes the HTTP/2 server of the control stream.
func (s *Server) HTTP() *http.Server {
	server := &http.Server{
		Handler: s,
		// net/http refuses more by itself, without a document; so our own bound is met first.
		MaxHeaderBytes: 4 * maxHeaderBytes,
		Protocols:      new(http.Protocols),
		HTTP2: &http.HTTP2Config{
			MaxConcurrentStreams:          maxStreams,
			MaxReadFrameSize:              maxFrameBytes,
			MaxReceiveBufferPerStream:     streamWindow,
			MaxReceiveBufferPerConnection: connectionWindow,
		},
	}
	server.Protocols.SetUnencryptedHTTP2(true)
	return server
}

// ServeHTTP finds the route of a request.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if err := s.serve(w, r); err != nil {
		writeError(w, err)
	}
}

func (s *Server) serve(w http.ResponseWriter, r *http.Request) error {
	if headerBytes(r) > maxHeaderBytes {
		return &Error{"too-large", "the request's headers are larger than " + strconv.Itoa(maxHeaderBytes) + " bytes"}
	}
	for _, route := range routes {
		id, ok := match(route.path, r.URL.Path)
		if !ok || route.method != r.Method {
			continue
		}
		if route.path != "/v1/hello" {
			if err := checkProtocol(r); err != nil {
				return err
			}
		}
		if route.limit > 0 {
			r.Body = http.MaxBytesReader(w, r.Body, route.limit)
		}
		return route.handle(s, w, r, id)
	}
	return &Error{"not-found", "there is no route " + strconv.QuoteToASCII(r.Method+" "+r.URL.Path)}
}

func headerBytes(r *http.Request) int {
	total := len(r.Method) + len(r.RequestURI) + len(r.Host)
	for name, values := range r.Header {
		for _, value := range values {
			total += len(name) + len(value)
		}
	}
	return total
}

func checkProtocol(r *http.Request) error {
	values := r.Header.Values(protocolHeader)
	if len(values) == 1 {
		version, err := strconv.Atoi(values[0])
		if err == nil && version >= minProtocol && version <= maxProtocol && strconv.Itoa(version) == values[0] {
			return nil
		}
	}
	return &Error{"protocol-unsupported", "a3s-protocol must be " + strconv.Itoa(minProtocol)}
}

// match compares a path with a pattern, segment by segment.
func match(pattern, path string) (id string, ok bool) {
	wanted, got := strings.Split(pattern, "/"), strings.Split(path, "/")
	if len(wanted) != len(got) {
		return "", false
	}
	for index, segment := range wanted {
		switch {
		case segment == "{id}" && isID(got[index]):
			id = got[index]
		case segment != got[index]:
			return "", false
		}
	}
	return id, true
}

func isID(text string) bool {
	if text == "" || len(text) > 64 {
		return false
	}
	return strings.Trim(text, "abcdefghijklmnopqrstuvwxyz0123456789") == ""
}
