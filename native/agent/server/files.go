package server

import (
	"context"
	"io"
	"strconv"

	"a3s.dev/box/agent/box/files"
	"a3s.dev/box/agent/stream"
	"a3s.dev/box/agent/strictjson"
)

// maxCopyHead bounds the line before an archive that is written into a box.
const maxCopyHead = 16 << 10

type pathRequest struct {
	Path string `json:"path"`
}

// appendStat appends what a path names, as a document of one line.
func appendStat(to []byte, stat *files.Stat) []byte {
	to = appendText(append(to, `{"name":`...), stat.Name)
	to = strconv.AppendInt(append(to, `,"size":`...), stat.Size, 10)
	to = strconv.AppendUint(append(to, `,"mode":`...), uint64(stat.Mode), 10)
	to = strconv.AppendInt(append(to, `,"mtime":`...), stat.Modified.Unix(), 10)
	to = strconv.AppendInt(append(to, `,"nanoseconds":`...), int64(stat.Modified.Nanosecond()), 10)
	return append(appendText(append(to, `,"linkTarget":`...), stat.LinkTarget), '}')
}

// statFile is answered beside all else, as the other routes of files are: a file server of the host
// may take its time.
func (s *Server) statFile(t stream.Stream, body []byte, _ string) {
	var request pathRequest
	if err := strictjson.Decode(body, &request); err != nil {
		writeError(t, err)
		return
	}
	s.queue.after("", func() {
		go func() {
			stat, err := s.Box.StatFile(request.Path)
			if err != nil {
				writeError(t, err)
				return
			}
			writeJSON(t, reply{200, appendStat(nil, stat)})
		}()
	})
}

// readFiles answers with the description of a path, a line feed, and its archive.
func (s *Server) readFiles(t stream.Stream, body []byte, _ string) {
	var request pathRequest
	if err := strictjson.Decode(body, &request); err != nil {
		writeError(t, err)
		return
	}
	s.queue.after("", func() { go s.sendFiles(t, request.Path) })
}

func (s *Server) sendFiles(t stream.Stream, path string) {
	var sent *archiveWriter
	err := s.Box.ReadFiles(path, func(ctx context.Context, stat *files.Stat) (io.Writer, error) {
		sent = beginArchive(ctx, t)
		_, err := sent.Write(append(appendStat(nil, stat), '\n'))
		return sent, err
	})
	finish(t, sent, err)
}

// finish ends an answer. Where its status was sent already, a reset is how the host sees that it is
// not complete.
func finish(t stream.Stream, sent *archiveWriter, err error) {
	switch {
	case sent == nil:
		writeError(t, err)
	case err != nil || sent.flush(true) != nil:
		t.Reset(stream.InternalError)
	}
}

// archiveWriter collects the small writes of an archive into larger ones of the stream.
type archiveWriter struct {
	to     stream.Stream
	buffer []byte
}

const archiveBuffer = 64 << 10

func newArchiveWriter(to stream.Stream) *archiveWriter {
	return &archiveWriter{to, make([]byte, stream.Room, stream.Room+archiveBuffer)}
}

func (w *archiveWriter) Write(data []byte) (int, error) {
	written := 0
	for written < len(data) {
		n := min(len(data)-written, cap(w.buffer)-len(w.buffer))
		w.buffer = append(w.buffer, data[written:written+n]...)
		written += n
		if len(w.buffer) == cap(w.buffer) {
			if err := w.flush(false); err != nil {
				return written, err
			}
		}
	}
	return written, nil
}

func (w *archiveWriter) flush(last bool) error {
	err := w.to.Write(w.buffer, last)
	w.buffer = w.buffer[:stream.Room]
	return err
}

type writeRequest struct {
	Path      string `json:"path"`
	KeepKinds bool   `json:"keepKinds"`
	OfUser    bool   `json:"ofUser"`
}

// writeFiles extracts the archive that follows the first line of the body, which says where.
func (s *Server) writeFiles(t stream.Stream, _ []byte, _ string) {
	s.queue.after("", func() {
		go func() {
			request, err := readHead(t)
			if err == nil {
				err = s.Box.WriteFiles(request.Path, request.KeepKinds, request.OfUser, func(ctx context.Context) io.Reader {
					// A read that waits for the host ends when the box stops.
					stop := context.AfterFunc(ctx, func() { t.Reset(stream.InternalError) })
					t.OnEnd(func() { stop() })
					return t
				})
			}
			give(t)(nothing, err)
		}()
	})
}

// readHead reads the first line of a body.
func readHead(t io.Reader) (*writeRequest, error) {
	line := make([]byte, 0, 256)
	var one [1]byte
	for {
		if _, err := io.ReadFull(t, one[:]); err != nil {
			return nil, &Error{"invalid", "the body has no first line"}
		}
		if one[0] == '\n' {
			break
		}
		if line = append(line, one[0]); len(line) > maxCopyHead {
			return nil, &Error{"too-large", "the body's first line is longer than " + strconv.Itoa(maxCopyHead) + " bytes"}
		}
	}
	request := &writeRequest{}
	return request, strictjson.Decode(line, request)
}

// exportFiles answers with an archive of the whole root.
func (s *Server) exportFiles(t stream.Stream, body []byte, _ string) {
	s.sendArchive(t, body, s.Box.ExportFiles)
}

// readLayer answers with a layer of the differences from the image.
func (s *Server) readLayer(t stream.Stream, body []byte, _ string) {
	s.sendArchive(t, body, s.Box.Layer)
}

// syncFiles answers once what the box has written is on its disk.
func (s *Server) syncFiles(t stream.Stream, body []byte, _ string) {
	if len(body) > 0 {
		writeError(t, errBody)
		return
	}
	s.queue.after("", func() {
		go func() {
			if err := s.Box.Sync(); err != nil {
				writeError(t, err)
				return
			}
			writeJSON(t, nothing)
		}()
	})
}

// sendArchive answers with an archive; its request has no other parameters.
func (s *Server) sendArchive(t stream.Stream, body []byte, write func(begin func(context.Context) io.Writer) error) {
	if len(body) > 0 {
		writeError(t, errBody)
		return
	}
	s.queue.after("", func() {
		go func() {
			var sent *archiveWriter
			err := write(func(ctx context.Context) io.Writer {
				sent = beginArchive(ctx, t)
				return sent
			})
			finish(t, sent, err)
		}()
	})
}

// listChanges answers with a document of one line for each path that differs from the image.
func (s *Server) listChanges(t stream.Stream, body []byte, _ string) {
	if len(body) > 0 {
		writeError(t, errBody)
		return
	}
	s.queue.after("", func() {
		go func() {
			var sent *archiveWriter
			err := s.Box.Changes(func(ctx context.Context) { sent = beginArchive(ctx, t) }, func(c files.Change) error {
				line := appendText([]byte(`{"path":`), c.Path)
				line = strconv.AppendInt(append(line, `,"kind":`...), int64(c.Kind), 10)
				_, err := sent.Write(append(line, "}\n"...))
				return err
			})
			finish(t, sent, err)
		}()
	})
}

// beginArchive begins an answer of bytes, which is reset when the box stops.
func beginArchive(ctx context.Context, t stream.Stream) *archiveWriter {
	stop := context.AfterFunc(ctx, func() { t.Reset(stream.InternalError) })
	t.OnEnd(func() { stop() })
	t.Begin(200, "application/octet-stream")
	return newArchiveWriter(t)
}
