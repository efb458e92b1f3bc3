// Package workload serves the workload: over a socket in the box, it gets evidence of its guest,
// over bytes of its own. openapi.json describes the API, docs/guest-ratls-api.md how it is used.
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
	"a3s.dev/box/agent/strictjson"
)

// Bounds of requests.
const (
	maxHeaderBytes = 8 << 10
	maxBody        = 1 << 10
	requestTime    = 30 * time.Second
	// The secure processor is waited for up to a minute.
	answerTime = 90 * time.Second
	idleTime   = 30 * time.Second
)

// dataSize is the size of the data in a workload's report: as long as a digest of SHA-512.
const dataSize = 64

var errData = &jsonapi.Error{Code: "data-length", Message: "data must be 64 bytes", Status: http.StatusBadRequest}

// route is a row of the API's table.
type route struct {
	method, path string
	// limit bounds the body; 0 for none.
	limit  int
	answer func(source *evidence.Source, body []byte) (any, error)
}

var routes = []route{
	{method: "POST", path: "/v1/evidence", limit: maxBody, answer: proof},
	{method: "GET", path: "/v1/identity", answer: identity},
}

// Serve returns when the listener is closed.
func Serve(l net.Listener, source *evidence.Source) error {
	server := &http.Server{
		Handler:           handler(source),
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

func handler(source *evidence.Source) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		document, err := dispatch(source, r)
		if err != nil {
			jsonapi.Refuse(w, refusalOf(err))
			return
		}
		jsonapi.Write(w, http.StatusOK, document)
	})
}

func dispatch(source *evidence.Source, r *http.Request) (any, error) {
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
		if err != nil {
			return nil, err
		}
		return route.answer(source, body)
	}
	return nil, refusal
}

func proof(source *evidence.Source, body []byte) (any, error) {
	var asked struct {
		Data []byte `json:"data"`
	}
	if err := strictjson.Decode(body, &asked); err != nil {
		return nil, err
	}
	if len(asked.Data) != dataSize {
		return nil, errData
	}
	return source.Workload([dataSize]byte(asked.Data))
}

// identityDocument says which guest the workload is in.
type identityDocument struct {
	TEE string `json:"tee"`
	evidence.Identity
}

func identity(source *evidence.Source, _ []byte) (any, error) {
	return identityDocument{source.TEE(), source.Identity()}, nil
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
