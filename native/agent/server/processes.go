package server

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strconv"

	"a3s.dev/box/agent/box"
	"a3s.dev/box/agent/output"
	"a3s.dev/box/agent/strictjson"
)

func (s *Server) startMain(w http.ResponseWriter, r *http.Request, _ string) error {
	if err := empty(r); err != nil {
		return err
	}
	h, err := s.Box.Start()
	if err != nil {
		return err
	}
	writeJSON(w, http.StatusOK, h.Report())
	return nil
}

func (s *Server) exec(w http.ResponseWriter, r *http.Request, _ string) error {
	var request struct {
		ID      string      `json:"id"`
		Process box.Process `json:"process"`
	}
	if err := document(r, &request); err != nil {
		return err
	}
	if !isID(request.ID) || request.ID == box.MainID {
		return &strictjson.Error{Path: "id", Reason: "is not an id"}
	}
	if err := box.CheckProcess(&request.Process, "process."); err != nil {
		return err
	}
	h, err := s.Box.Exec(request.ID, &request.Process)
	if err != nil {
		return err
	}
	writeJSON(w, http.StatusOK, h.Report())
	return nil
}

func (s *Server) process(w http.ResponseWriter, _ *http.Request, id string) error {
	h, err := s.Box.Process(id)
	if err != nil {
		return err
	}
	writeJSON(w, http.StatusOK, h.Report())
	return nil
}

func (s *Server) exit(w http.ResponseWriter, r *http.Request, id string) error {
	h, err := s.Box.Process(id)
	if err != nil {
		return err
	}
	select {
	case <-h.Complete():
		writeJSON(w, http.StatusOK, h.Report().Exit)
		return nil
	case <-r.Context().Done():
		panic(http.ErrAbortHandler)
	}
}

func (s *Server) output(w http.ResponseWriter, r *http.Request, id string) error {
	h, err := s.Box.Process(id)
	if err != nil {
		return err
	}
	offset, err := parseOffset(r.URL.RawQuery)
	if err != nil {
		return err
	}
	if !h.Output.Holds(offset) {
		return output.ErrOffset
	}
	ctx, cancel := context.WithCancelCause(r.Context())
	defer cancel(nil)
	h.Displace(func() { cancel(nil) })
	sent := output.SentFrom(offset)
	go func() {
		if err := h.Output.ReadAcks(sent, r.Body); err != nil {
			cancel(err)
		}
	}()
	controller := http.NewResponseController(w)
	w.Header().Set("Content-Type", "application/octet-stream")
	w.WriteHeader(http.StatusOK)
	if err := controller.Flush(); err != nil {
		panic(http.ErrAbortHandler)
	}
	if err := h.Output.WriteFrames(ctx, offset, sent, w, controller.Flush); err != nil {
		// The status is sent: a reset tells the host of a bad acknowledgement, of another reader, or of its own end.
		panic(http.ErrAbortHandler)
	}
	return nil
}

// parseOffset reads the one parameter, in its one spelling.
func parseOffset(query string) (uint64, error) {
	values, err := url.ParseQuery(query)
	if err != nil || len(values) != 1 || len(values["offset"]) != 1 {
		return 0, &Error{"invalid", "offset must be given once, and nothing else"}
	}
	text := values["offset"][0]
	offset, err := strconv.ParseUint(text, 10, 64)
	if err != nil || strconv.FormatUint(offset, 10) != text {
		return 0, &Error{"invalid", "offset is not a number"}
	}
	return offset, nil
}

func (s *Server) stdin(w http.ResponseWriter, r *http.Request, id string) error {
	h, err := s.Box.Process(id)
	if err != nil {
		return err
	}
	closed, err := h.Input.Write(r.Context(), r.Body)
	if errors.Is(err, box.ErrInputAborted) {
		panic(http.ErrAbortHandler)
	}
	if err != nil {
		return err
	}
	writeJSON(w, http.StatusOK, map[string]bool{"closed": closed})
	return nil
}

func (s *Server) signal(w http.ResponseWriter, r *http.Request, id string) error {
	var request struct {
		Signal string `json:"signal"`
	}
	if err := document(r, &request); err != nil {
		return err
	}
	signal, err := parseSignal(request.Signal)
	if err != nil {
		return err
	}
	h, err := s.Box.Process(id)
	if err != nil {
		return err
	}
	if err := h.Signal(signal); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

func (s *Server) resize(w http.ResponseWriter, r *http.Request, id string) error {
	var size box.Size
	if err := document(r, &size); err != nil {
		return err
	}
	if size.Rows < 1 || size.Rows > 65535 || size.Columns < 1 || size.Columns > 65535 {
		return &Error{"invalid", "rows and columns must be from 1 to 65535"}
	}
	h, err := s.Box.Process(id)
	if err != nil {
		return err
	}
	if err := h.Resize(uint16(size.Rows), uint16(size.Columns)); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

func (s *Server) forget(w http.ResponseWriter, _ *http.Request, id string) error {
	if err := s.Box.Forget(id); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}
