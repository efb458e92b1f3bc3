package server

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"sync/atomic"

	"a3s.dev/box/agent/box"
	"a3s.dev/box/agent/box/process"
	"a3s.dev/box/agent/box/spec"
	"a3s.dev/box/agent/output"
	"a3s.dev/box/agent/stream"
	"a3s.dev/box/agent/strictjson"
)

func report(h *process.Handle, err error) (reply, error) {
	if err != nil {
		return reply{}, err
	}
	return reply{200, appendReport(make([]byte, 0, 256), h.Report())}, nil
}

func (s *Server) startMain(body []byte) (reply, error) {
	if len(body) > 0 {
		return reply{}, errBody
	}
	if s.Confidential != nil {
		return report(s.Confidential.Start())
	}
	return report(s.Box.Start())
}

// exec is since version 7.
func (s *Server) exec(t stream.Stream, body []byte, _ string) {
	var request struct {
		ID         string       `json:"id"`
		Process    spec.Process `json:"process"`
		Group      *bool        `json:"group"`
		Privileged *bool        `json:"privileged"`
	}
	err := strictjson.Decode(body, &request)
	options := box.ExecOptions{
		Grouped: request.Group != nil && *request.Group, Privileged: request.Privileged != nil && *request.Privileged,
	}
	if err == nil {
		err = s.permitOptions(options)
	}
	s.execute(t, err, request.ID, &request.Process, options)
}

// errPrivileged: no launch spec gives a process more than the box has.
var errPrivileged = &Error{"host-not-permitted", "the launch spec does not permit the host a privileged process"}

func (s *Server) permitOptions(options box.ExecOptions) error {
	if options.Privileged && s.Confidential != nil {
		return errPrivileged
	}
	return nil
}

// execGrouped is of versions 4 to 6.
func (s *Server) execGrouped(t stream.Stream, body []byte, _ string) {
	var request struct {
		ID      string       `json:"id"`
		Process spec.Process `json:"process"`
		Group   *bool        `json:"group"`
	}
	err := strictjson.Decode(body, &request)
	s.execute(t, err, request.ID, &request.Process, box.ExecOptions{Grouped: request.Group != nil && *request.Group})
}

func (s *Server) execUngrouped(t stream.Stream, body []byte, _ string) {
	var request struct {
		ID      string       `json:"id"`
		Process spec.Process `json:"process"`
	}
	err := strictjson.Decode(body, &request)
	s.execute(t, err, request.ID, &request.Process, box.ExecOptions{})
}

func (s *Server) execute(t stream.Stream, err error, id string, process *spec.Process, options box.ExecOptions) {
	if err == nil && (!isID(id) || id == box.MainID) {
		err = &strictjson.Error{Path: "id", Reason: "is not an id"}
	}
	if err == nil {
		err = spec.CheckProcess(process, "process.")
	}
	if err != nil {
		writeError(t, err)
		return
	}
	s.queue.start(id, func() { give(t)(report(s.Box.Exec(id, process, options))) })
}

func (s *Server) process(_ []byte, id string) (reply, error) { return report(s.Box.Process(id)) }

// ended answers when the process has exited, exit when its output has ended too.
func (s *Server) ended(t stream.Stream, _ []byte, id string) {
	s.answerExit(t, id, (*process.Handle).Ended)
}

func (s *Server) exit(t stream.Stream, _ []byte, id string) {
	s.answerExit(t, id, (*process.Handle).Complete)
}

func (s *Server) answerExit(t stream.Stream, id string, when func(*process.Handle) <-chan struct{}) {
	s.queue.after(id, func() {
		h, err := s.Box.Process(id)
		if err != nil {
			writeError(t, err)
			return
		}
		answer := func() { writeJSON(t, reply{200, appendExit(nil, h.Report().Exit)}) }
		select {
		case <-when(h):
			answer()
			return
		default:
		}
		gone := make(chan struct{})
		t.OnEnd(func() { close(gone) })
		go func() {
			select {
			case <-when(h):
				answer()
			case <-gone:
			}
		}()
	})
}

func (s *Server) output(t stream.Stream, _ []byte, id string) {
	offset, err := parseOffset(t.Head().Query)
	if err != nil {
		writeError(t, err)
		return
	}
	var reader atomic.Pointer[output.Reader]
	t.Each(func(piece []byte, last bool) {
		r := reader.Load()
		// Nothing is sent before there is a reader.
		if r == nil && len(piece) > 0 || r != nil && r.Take(piece, last) != nil {
			// The status may be sent already, so a reset is the answer to a bad acknowledgement.
			t.Reset(stream.ProtocolError)
		}
	})
	s.queue.after(id, func() {
		h, err := s.Box.Process(id)
		if err != nil {
			writeError(t, err)
			return
		}
		r, err := h.Output.NewReader(offset)
		if err != nil {
			writeError(t, err)
			return
		}
		h.Displace(r.Leave)
		t.OnEnd(r.Leave)
		reader.Store(r)
		t.Begin(200, "application/octet-stream")
		go func() {
			if r.WriteFrames(t, stream.Room) != nil {
				// A reset is how the host sees that another reader has come.
				t.Reset(stream.InternalError)
			}
		}()
	})
}

// parseOffset reads the one parameter, in its one spelling.
func parseOffset(query string) (uint64, error) {
	text, ok := strings.CutPrefix(query, "offset=")
	if !ok {
		return 0, &Error{"invalid", "offset must be given once, and nothing else"}
	}
	offset, err := strconv.ParseUint(text, 10, 64)
	if err != nil || strconv.FormatUint(offset, 10) != text {
		return 0, &Error{"invalid", "offset is not a number"}
	}
	return offset, nil
}

func (s *Server) stdin(t stream.Stream, _ []byte, id string) {
	ctx, cancel := context.WithCancel(context.Background())
	t.OnEnd(cancel)
	s.queue.after(id, func() {
		h, err := s.Box.Process(id)
		if err != nil {
			writeError(t, err)
			return
		}
		// The input is taken here, so that the first of two writers gets it.
		writer, err := h.Input.Take()
		if err != nil {
			writeError(t, err)
			return
		}
		go func() {
			closed, err := writer.Write(ctx, t)
			if errors.Is(err, process.ErrInputAborted) {
				t.Reset(stream.InternalError)
				return
			}
			if err != nil {
				writeError(t, err)
				return
			}
			writeJSON(t, reply{200, append(strconv.AppendBool([]byte(`{"closed":`), closed), '}')})
		}()
	})
}

type signalRequest struct {
	Signal string `json:"signal"`
}

func (s *Server) signal(body []byte, id string) (reply, error) {
	var request signalRequest
	if err := strictjson.Decode(body, &request); err != nil {
		return reply{}, err
	}
	signal, err := parseSignal(request.Signal)
	if err != nil {
		return reply{}, err
	}
	h, err := s.Box.Process(id)
	if err != nil {
		return reply{}, err
	}
	return nothing, h.Signal(signal)
}

func (s *Server) resize(body []byte, id string) (reply, error) {
	var size spec.Size
	if err := strictjson.Decode(body, &size); err != nil {
		return reply{}, err
	}
	if size.Rows < 1 || size.Rows > 65535 || size.Columns < 1 || size.Columns > 65535 {
		return reply{}, &Error{"invalid", "rows and columns must be from 1 to 65535"}
	}
	h, err := s.Box.Process(id)
	if err != nil {
		return reply{}, err
	}
	return nothing, h.Resize(uint16(size.Rows), uint16(size.Columns))
}

// forget is answered beside all else: it may have to wait for the end of what the process left
// behind.
func (s *Server) forget(t stream.Stream, _ []byte, id string) {
	s.queue.after(id, func() {
		go func() { give(t)(nothing, s.Box.Forget(id)) }()
	})
}
