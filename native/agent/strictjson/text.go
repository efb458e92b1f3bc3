package strictjson

import (
	"strconv"
	"unicode/utf16"
	"unicode/utf8"
)

// text reads a string; RFC 8259, section 7.
func (p *parser) text(path string) (string, error) {
	if !p.take('"') {
		return "", p.fail(path, "must be a string")
	}
	start := p.at
	for p.at < len(p.data) {
		switch c := p.data[p.at]; {
		case c == '"':
			plain := p.data[start:p.at]
			if !utf8.Valid(plain) {
				return "", p.fail(path, "is not UTF-8")
			}
			p.at++
			return string(plain), nil
		case c == '\\':
			return p.escaped(path, append([]byte(nil), p.data[start:p.at]...))
		case c < ' ':
			return "", p.fail(path, "holds a bare control character")
		}
		p.at++
	}
	return "", p.fail(path, "ends within a string")
}

// escaped reads on from the first backslash of a string.
func (p *parser) escaped(path string, text []byte) (string, error) {
	for p.at < len(p.data) {
		c := p.data[p.at]
		p.at++
		switch {
		case c == '"':
			if !utf8.Valid(text) {
				return "", p.fail(path, "is not UTF-8")
			}
			return string(text), nil
		case c < ' ':
			return "", p.fail(path, "holds a bare control character")
		case c != '\\':
			text = append(text, c)
		default:
			char, ok := p.escape()
			if !ok {
				return "", p.fail(path, "holds an escape that is not one")
			}
			text = utf8.AppendRune(text, char)
		}
	}
	return "", p.fail(path, "ends within a string")
}

func (p *parser) escape() (rune, bool) {
	if p.at == len(p.data) {
		return 0, false
	}
	c := p.data[p.at]
	p.at++
	switch c {
	case '"', '\\', '/':
		return rune(c), true
	case 'b':
		return '\b', true
	case 'f':
		return '\f', true
	case 'n':
		return '\n', true
	case 'r':
		return '\r', true
	case 't':
		return '\t', true
	case 'u':
		return p.codePoint()
	default:
		return 0, false
	}
}

// codePoint reads four hexadecimal digits, and the second half of a surrogate pair.
func (p *parser) codePoint() (rune, bool) {
	high, ok := p.hex()
	if !ok || !utf16.IsSurrogate(high) {
		return high, ok
	}
	if p.at+2 > len(p.data) || p.data[p.at] != '\\' || p.data[p.at+1] != 'u' {
		return 0, false
	}
	p.at += 2
	low, ok := p.hex()
	char := utf16.DecodeRune(high, low)
	return char, ok && char != utf8.RuneError
}

func (p *parser) hex() (rune, bool) {
	if p.at+4 > len(p.data) {
		return 0, false
	}
	n, err := strconv.ParseUint(string(p.data[p.at:p.at+4]), 16, 16)
	p.at += 4
	return rune(n), err == nil
}
