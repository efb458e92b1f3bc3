// Package workload serves the workload: over a socket in the box, it gets evidence of its guest,
// over bytes of its own, and keeps values for its next start. openapi.json describes the API,
// docs/development/guest-ratls-api.md how it is used.
//
// The reports of the workload always have the purpose "workload", which no verifier takes for the
// guest's own.
package workload

import (
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"time"

	"a3s.dev/box/agent/evidence"
	"a3s.dev/box/agent/jsonapi"
	"a3s.dev/box/agent/sealing"
	"a3s.dev/box/agent/server"
	"a3s.dev/box/agent/strictjson"
)

// Bounds of requests.
const (
	maxHeaderBytes = 8 << 10
	maxBody        = 1 << 10
	// An envelope is in base64.
	maxSealing  = (sealing.MaxEnvelope+2)/3*4 + 1<<10
	requestTime = 30 * time.Second
	// The secure processor is waited for up to a minute.
	answerTime = 90 * time.Second
	idleTime   = 30 * time.Second
)

// dataSize is the size of the data in a workload's report: as long as a digest of SHA-512.
const dataSize = 64

var errDerive = &jsonapi.Error{Code: "derive-malformed", Message: "give policy for a new key, or the reference of an earlier one, and not both; minimumTcb belongs to a reference", Status: http.StatusBadRequest}

var errData = &jsonapi.Error{Code: "data-length", Message: "data must be 64 bytes", Status: http.StatusBadRequest}

// route is a row of the API's table.
type route struct {
	method, path string
	// limit bounds the body; 0 for none.
	limit  int
	answer func(s *Services, body []byte) (answer, error)
}

// answer is a document, and the part of it that is overwritten once that was sent.
type answer struct {
	document any
	wipe     []byte
}

// Services are what a workload is served with.
type Services struct {
	Evidence *evidence.Source
	Sealer   *sealing.Caller
	// Volumes are the sealed volumes that the box has.
	Volumes func() []server.Volume
	// Tokens is nil where the launch spec permits none.
	Tokens *Tokens
}

var routes = []route{
	{method: "POST", path: "/v1/evidence", limit: maxBody, answer: proof},
	{method: "GET", path: "/v1/identity", answer: identity},
	{method: "GET", path: "/v1/volumes", answer: volumes},
	{method: "POST", path: "/v1/seal", limit: maxSealing, answer: seal},
	{method: "POST", path: "/v1/unseal", limit: maxSealing, answer: unseal},
	{method: "POST", path: "/v1/derive", limit: maxBody, answer: derive},
	{method: "POST", path: "/v1/token", limit: maxBody, answer: token},
}

// Serve returns when the listener is closed.
func Serve(l net.Listener, s *Services) error {
	server := &http.Server{
		Handler:           handler(s),
		ReadHeaderTimeout: requestTime,
		ReadTimeout:       requestTime,
		WriteTimeout:      answerTime,
		IdleTimeout:       idleTime,
		MaxHeaderBytes:    maxHeaderBytes,
		// The messages may quote the workload, so they are dropped.
		ErrorLog: log.New(io.Discard, "", 0),
	}
	return server.Serve(l)
}

func handler(s *Services) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		answered, err := dispatch(s, r)
		defer clear(answered.wipe)
		if err != nil {
			jsonapi.Refuse(w, refusalOf(err))
			return
		}
		jsonapi.Write(w, http.StatusOK, answered.document)
	})
}

func dispatch(s *Services, r *http.Request) (answer, error) {
	refusal := jsonapi.ErrNotFound
	for _, route := range routes {
		if route.path != r.URL.Path {
			continue
		}
		if route.method != r.Method {
			refusal = jsonapi.ErrMethod
			continue
		}
		body, err := jsonapi.Read(r, route.limit)
		// It may hold a value that is to be sealed.
		defer clear(body)
		if err != nil {
			return answer{}, err
		}
		return route.answer(s, body)
	}
	return answer{}, refusal
}

func proof(s *Services, body []byte) (answer, error) {
	var asked struct {
		Data []byte `json:"data"`
	}
	if err := strictjson.Decode(body, &asked); err != nil {
		return answer{}, err
	}
	if len(asked.Data) != dataSize {
		return answer{}, errData
	}
	document, err := s.Evidence.Workload([dataSize]byte(asked.Data))
	return answer{document: document}, err
}

// identityDocument says which guest the workload is in.
type identityDocument struct {
	TEE string `json:"tee"`
	evidence.Identity
}

func identity(s *Services, _ []byte) (answer, error) {
	return answer{document: identityDocument{s.Evidence.TEE(), s.Evidence.Identity()}}, nil
}

// volumes says which volumes the box has, and which of them no workload has had yet: a box that
// has kept something finds out here that its host has put an empty disk in its place.
func volumes(s *Services, _ []byte) (answer, error) {
	return answer{document: map[string][]server.Volume{"volumes": append([]server.Volume{}, s.Volumes()...)}}, nil
}

func refusalOf(err error) *jsonapi.Error {
	var own *jsonapi.Error
	var malformed *strictjson.Error
	switch {
	case errors.As(err, &own):
		return own
	case errors.As(err, &malformed):
		return jsonapi.Malformed(malformed.Error())
	case errors.Is(err, evidence.ErrTooMany):
		return jsonapi.ErrTooMany
	default:
		// Any other failure is the processor's.
		return jsonapi.ErrProcessor
	}
}
