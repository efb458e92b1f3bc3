package files

import (
	"bufio"
	"bytes"
	"compress/bzip2"
	"compress/gzip"
	"errors"
	"io"
)

// sniffed is the number of bytes that say how an archive is compressed.
const sniffed = 6

// unsupported are the first bytes of compressions that Docker knows, and the agent does not.
var unsupported = []struct{ magic, name string }{
	{"\xfd7zXZ\x00", "xz"}, {"\x28\xb5\x2f\xfd", "zstd"},
}

// decompressed reads an archive that is plain, or compressed with gzip or bzip2: the first bytes
// say which.
func decompressed(from io.Reader) (io.Reader, error) {
	buffered := bufio.NewReaderSize(from, copyBuffer)
	head, err := buffered.Peek(sniffed)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	switch {
	case bytes.HasPrefix(head, []byte("\x1f\x8b")):
		unzipped, err := gzip.NewReader(buffered)
		return unzipped, archiveError(err)
	case bytes.HasPrefix(head, []byte("BZh")):
		return bzip2.NewReader(buffered), nil
	}
	for _, other := range unsupported {
		if bytes.HasPrefix(head, []byte(other.magic)) {
			return nil, &Error{CodeInvalid, "the archive is compressed with " + other.name + ": plain, gzip and bzip2 are supported"}
		}
	}
	return buffered, nil
}
