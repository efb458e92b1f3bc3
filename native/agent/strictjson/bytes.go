package strictjson

import (
	"bytes"
	"encoding/base64"
	"reflect"
)

// bytes reads base64 in its one spelling: padded, without unused bits that are set. The decoded
// bytes may be a secret, so it makes no copy besides the one that it returns.
func (p *parser) bytes(target reflect.Value, path string) error {
	if !p.take('"') {
		return p.fail(path, "must be a string")
	}
	length := bytes.IndexByte(p.data[p.at:], '"')
	if length < 0 {
		return p.fail(path, "ends within a string")
	}
	text := p.data[p.at : p.at+length]
	p.at += length + 1
	decoded := make([]byte, base64.StdEncoding.DecodedLen(length))
	n, err := base64.StdEncoding.Strict().Decode(decoded, text)
	// The decoder passes line ends over.
	if err != nil || bytes.ContainsAny(text, "\r\n") {
		clear(decoded)
		return p.fail(path, "must be base64")
	}
	target.SetBytes(decoded[:n])
	return nil
}
