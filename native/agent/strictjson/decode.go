// Package strictjson decodes JSON documents that have only one reading.
//
// Refused are: unknown keys, keys that occur twice, keys that differ in case, missing keys, null,
// numbers that are not integers, text that is not UTF-8 or holds half a surrogate pair, and
// anything after the document. Package encoding/json accepts most of that.
package strictjson

import (
	"reflect"
	"strconv"
)

// maxDepth is more than any document of the protocol needs.
const maxDepth = 16

// Error says what is wrong, and where in the document.
type Error struct {
	Path   string
	Reason string
}

func (e *Error) Error() string {
	if e.Path == "" {
		return e.Reason
	}
	return e.Path + ": " + e.Reason
}

// Decode reads one document into the value that target points to.
//
// A struct takes its fields by their `json` tag, and leaves one alone whose tag is "-". Every other
// field must occur in the document, except one that is a pointer: that stays nil. Besides structs
// and pointers to what follows there are string, bool, int64 and slices; a slice of bytes is
// base64.
func Decode(data []byte, target any) error {
	p := &parser{data: data}
	if err := p.value(reflect.ValueOf(target).Elem(), "", 0); err != nil {
		return err
	}
	p.space()
	if p.at != len(p.data) {
		return p.fail("", "something follows the document")
	}
	return nil
}

type parser struct {
	data []byte
	at   int
}

func (p *parser) fail(path, reason string) error { return &Error{Path: path, Reason: reason} }

func (p *parser) space() {
	for p.at < len(p.data) {
		switch p.data[p.at] {
		case ' ', '\t', '\n', '\r':
			p.at++
		default:
			return
		}
	}
}

// take consumes one given byte after white space, if it is next.
func (p *parser) take(c byte) bool {
	p.space()
	if p.at < len(p.data) && p.data[p.at] == c {
		p.at++
		return true
	}
	return false
}

func (p *parser) value(target reflect.Value, path string, depth int) error {
	if depth > maxDepth {
		return p.fail(path, "is nested too deeply")
	}
	switch target.Kind() {
	case reflect.Pointer:
		target.Set(reflect.New(target.Type().Elem()))
		return p.value(target.Elem(), path, depth)
	case reflect.Struct:
		return p.object(target, path, depth)
	case reflect.Slice:
		if target.Type().Elem().Kind() == reflect.Uint8 {
			return p.bytes(target, path)
		}
		return p.array(target, path, depth)
	case reflect.String:
		text, err := p.text(path)
		target.SetString(text)
		return err
	case reflect.Bool:
		return p.boolean(target, path)
	case reflect.Int64:
		return p.integer(target, path)
	default:
		panic("strictjson: unsupported type " + target.Type().String())
	}
}

func (p *parser) object(target reflect.Value, path string, depth int) error {
	if !p.take('{') {
		return p.fail(path, "must be an object")
	}
	kind := target.Type()
	seen := make([]bool, kind.NumField())
	for first := true; !p.take('}'); first = false {
		if !first && !p.take(',') {
			return p.fail(path, "is not well-formed")
		}
		key, err := p.text(path)
		if err != nil {
			return err
		}
		index := field(kind, key)
		if index < 0 {
			return p.fail(path, "unknown key "+quote(key))
		}
		if seen[index] {
			return p.fail(path, "key "+quote(key)+" occurs twice")
		}
		seen[index] = true
		if !p.take(':') {
			return p.fail(path, "is not well-formed")
		}
		if err := p.value(target.Field(index), join(path, key), depth+1); err != nil {
			return err
		}
	}
	for index, present := range seen {
		if tag := kind.Field(index).Tag.Get("json"); !present && tag != ignored && kind.Field(index).Type.Kind() != reflect.Pointer {
			return p.fail(join(path, tag), "is missing")
		}
	}
	return nil
}

func (p *parser) array(target reflect.Value, path string, depth int) error {
	if !p.take('[') {
		return p.fail(path, "must be an array")
	}
	target.Set(reflect.MakeSlice(target.Type(), 0, 0))
	for count := 0; !p.take(']'); count++ {
		if count > 0 && !p.take(',') {
			return p.fail(path, "is not well-formed")
		}
		element := reflect.New(target.Type().Elem()).Elem()
		if err := p.value(element, path+"["+strconv.Itoa(count)+"]", depth+1); err != nil {
			return err
		}
		target.Set(reflect.Append(target, element))
	}
	return nil
}

func (p *parser) boolean(target reflect.Value, path string) error {
	p.space()
	for _, word := range [...]string{"true", "false"} {
		if end := p.at + len(word); end <= len(p.data) && string(p.data[p.at:end]) == word {
			p.at = end
			target.SetBool(word == "true")
			return nil
		}
	}
	return p.fail(path, "must be true or false")
}

func (p *parser) integer(target reflect.Value, path string) error {
	p.space()
	start := p.at
	for p.at < len(p.data) && isNumber(p.data[p.at]) {
		p.at++
	}
	digits := string(p.data[start:p.at])
	n, err := strconv.ParseInt(digits, 10, 64)
	// One value has one spelling: no sign, exponent, fraction or leading zero. JavaScript's
	// integers end at 2^53 - 1.
	if err != nil || strconv.FormatInt(n, 10) != digits || n > 1<<53-1 || n < -(1<<53-1) {
		return p.fail(path, "must be an integer")
	}
	target.SetInt(n)
	return nil
}

func isNumber(c byte) bool {
	return '0' <= c && c <= '9' || c == '-' || c == '+' || c == '.' || c == 'e' || c == 'E'
}

// ignored is the tag of a field that no document has.
const ignored = "-"

func field(kind reflect.Type, key string) int {
	if key == ignored {
		return -1
	}
	for index := range kind.NumField() {
		if kind.Field(index).Tag.Get("json") == key {
			return index
		}
	}
	return -1
}

func join(path, key string) string {
	if path == "" {
		return key
	}
	return path + "." + key
}

// quote bounds what a hostile key can put into an error message.
func quote(key string) string {
	const limit = 64
	if len(key) > limit {
		key = key[:limit] + "…"
	}
	return strconv.QuoteToASCII(key)
}
