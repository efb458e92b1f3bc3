package files

import (
	"archive/tar"
	"io"
)

// maxHeader bounds what comes before the content of one entry: its names and records, and the map
// of a sparse file, of which Go's reader before 1.24.8 holds any number of parts.
const maxHeader = 4 << 20

// headers reads an archive, and refuses one in which an entry has a longer header.
type headers struct {
	archive *tar.Reader
	from    io.Reader
	// inHeader: `left` more bytes may be read.
	inHeader bool
	left     int
}

func readHeaders(from io.Reader) *headers {
	h := &headers{from: from}
	h.archive = tar.NewReader(h)
	return h
}

// next goes on to the next entry. What the last one has must have been read.
func (h *headers) next() (*tar.Header, error) {
	h.inHeader, h.left = true, maxHeader
	header, err := h.archive.Next()
	h.inHeader = false
	return header, err
}

// Read is for the archive's reader.
func (h *headers) Read(to []byte) (int, error) {
	if !h.inHeader {
		return h.from.Read(to)
	}
	if h.left == 0 {
		return 0, &Error{CodeInvalid, "an entry of the archive has a header of more than 4 MiB"}
	}
	n, err := h.from.Read(to[:min(len(to), h.left)])
	h.left -= n
	return n, err
}
