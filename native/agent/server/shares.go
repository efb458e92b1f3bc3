package server

import (
	"strconv"
	"strings"

	"a3s.dev/box/agent/box"
	"a3s.dev/box/agent/stream"
	"a3s.dev/box/agent/strictjson"
)

// Bounds of the changes of one request.
const (
	maxChanges    = 512
	maxChangePath = 4095
)

// shareChanges tells the box's watchers what the host has changed in its shares. It is answered
// beside all else: a file server of the host may take its time.
func (s *Server) shareChanges(t stream.Stream, body []byte, _ string) {
	changes, err := parseChanges(body)
	if err != nil {
		writeError(t, err)
		return
	}
	s.queue.after("", func() {
		go func() {
			touched, err := s.Box.Touch(changes)
			give(t)(reply{200, append(strconv.AppendInt([]byte(`{"touched":`), int64(touched), 10), '}')}, err)
		}()
	})
}

func parseChanges(body []byte) ([]box.Change, error) {
	var request struct {
		Changes []struct {
			Share string `json:"share"`
			Path  string `json:"path"`
		} `json:"changes"`
	}
	if err := strictjson.Decode(body, &request); err != nil {
		return nil, err
	}
	if len(request.Changes) > maxChanges {
		return nil, &strictjson.Error{Path: "changes", Reason: "has too many entries"}
	}
	changes := make([]box.Change, len(request.Changes))
	for index, change := range request.Changes {
		if !isRelative(change.Path) {
			return nil, &strictjson.Error{Path: "changes[" + strconv.Itoa(index) + "].path", Reason: "is not a relative path without `.` and `..`"}
		}
		changes[index] = box.Change(change)
	}
	return changes, nil
}

// isRelative says whether a path is empty, or names only: none of them empty, `.` or `..`.
func isRelative(path string) bool {
	if path == "" {
		return true
	}
	if len(path) > maxChangePath || strings.Contains(path, "\x00") {
		return false
	}
	for name := range strings.SplitSeq(path, "/") {
		if name == "" || name == "." || name == ".." {
			return false
		}
	}
	return true
}
