package ratls

import (
	"crypto/tls"
	"net/http"
	"strings"

	"a3s.dev/box/agent/jsonapi"
	"a3s.dev/box/agent/sealing"
	"a3s.dev/box/agent/secrets"
)

// Bounds of bodies. A secret is in base64, its name in the path, and a few hundred bytes come with
// it.
const (
	maxChallenge = 1 << 10
	maxInjection = (secrets.MaxValue+2)/3*4 + 1<<10
	maxSealing   = (sealing.MaxEnvelope+2)/3*4 + 1<<10
)

// request is a request whose route was found and whose body was read.
type request struct {
	connection *connection
	tls        *tls.ConnectionState
	// name is the value of `{name}`.
	name string
	body []byte
	// wipe is a part of the answer that is overwritten once that was sent.
	wipe []byte
}

// route is a row of the API's table.
type route struct {
	method, path string
	// limit bounds the body; 0 for none.
	limit int
	// attested: only over a connection that was.
	attested bool
	// answer returns a document, or nil for an empty answer.
	answer func(s *Server, r *request) (any, error)
}

var routes = []route{
	{method: "POST", path: "/attest", limit: maxChallenge, answer: (*Server).attest},
	{method: "GET", path: "/info", answer: (*Server).info},
	{method: "PUT", path: "/secrets/{name}", limit: maxInjection, attested: true, answer: (*Server).inject},
	{method: "POST", path: "/seal", limit: maxSealing, attested: true, answer: (*Server).seal},
	{method: "POST", path: "/unseal", limit: maxSealing, attested: true, answer: (*Server).unseal},
}

// answer serves one request of a connection.
func (s *Server) answer(w http.ResponseWriter, r *http.Request) {
	document, wipe, err := s.dispatch(r)
	defer clear(wipe)
	switch {
	case err != nil:
		jsonapi.Refuse(w, refusalOf(err))
	case document == nil:
		w.WriteHeader(http.StatusNoContent)
	default:
		jsonapi.Write(w, http.StatusOK, document)
	}
}

// dispatch returns the answer, and the part of it that is to be overwritten.
func (s *Server) dispatch(r *http.Request) (document any, wipe []byte, err error) {
	route, name, err := find(r.Method, r.URL.Path)
	if err != nil {
		return nil, nil, err
	}
	conn, ok := r.Context().Value(connectionKey{}).(*connection)
	if !ok || r.TLS == nil {
		return nil, nil, jsonapi.ErrInternal
	}
	if route.attested && !conn.attested.Load() {
		return nil, nil, errNotAttested
	}
	if route.limit > maxChallenge {
		leave, err := conn.alone()
		if err != nil {
			return nil, nil, err
		}
		defer leave()
	}
	body, err := jsonapi.Read(r, route.limit)
	// It may hold a secret.
	defer clear(body)
	if err != nil {
		return nil, nil, err
	}
	asked := &request{connection: conn, tls: r.TLS, name: name, body: body}
	document, err = route.answer(s, asked)
	return document, asked.wipe, err
}

func find(method, path string) (*route, string, error) {
	known := false
	for index := range routes {
		name, ok := match(routes[index].path, path)
		if ok && routes[index].method == method {
			return &routes[index], name, nil
		}
		known = known || ok
	}
	if known {
		return nil, "", jsonapi.ErrMethod
	}
	return nil, "", jsonapi.ErrNotFound
}

// match compares a path with a pattern, which may end in `{name}`.
func match(pattern, path string) (name string, ok bool) {
	prefix, named := strings.CutSuffix(pattern, "{name}")
	if !named {
		return "", path == pattern
	}
	name, ok = strings.CutPrefix(path, prefix)
	return name, ok && name != "" && !strings.Contains(name, "/")
}
