package launchspec

import (
	"cmp"
	"reflect"
	"slices"
	"strconv"
)

// canonical returns the one canonical text of a spec; RFC 8785, for the kinds of values that a spec
// consists of.
func canonical(spec *Spec) []byte { return canonicalOf(spec) }

func canonicalOf(document any) []byte { return appendValue(nil, reflect.ValueOf(document).Elem()) }

func appendValue(to []byte, value reflect.Value) []byte {
	switch value.Kind() {
	case reflect.Pointer:
		return appendValue(to, value.Elem())
	case reflect.Struct:
		return appendMembers(to, value)
	case reflect.Slice:
		to = append(to, '[')
		for index := range value.Len() {
			if index > 0 {
				to = append(to, ',')
			}
			to = appendValue(to, value.Index(index))
		}
		return append(to, ']')
	case reflect.String:
		return appendText(to, value.String())
	case reflect.Bool:
		return strconv.AppendBool(to, value.Bool())
	case reflect.Int64:
		return strconv.AppendInt(to, value.Int(), 10)
	default:
		panic("launchspec: unsupported type " + value.Type().String())
	}
}

// appendMembers sorts by name. The names of a spec are ASCII, so their bytes are in the order of
// their UTF-16 units; section 3.2.3.
func appendMembers(to []byte, value reflect.Value) []byte {
	type member struct {
		name  string
		value reflect.Value
	}
	var members []member
	for index := range value.NumField() {
		field := value.Field(index)
		if field.Kind() == reflect.Pointer && field.IsNil() {
			continue
		}
		name := value.Type().Field(index).Tag.Get("json")
		if name == "-" {
			continue
		}
		members = append(members, member{name, field})
	}
	slices.SortFunc(members, func(a, b member) int { return cmp.Compare(a.name, b.name) })
	to = append(to, '{')
	for index, member := range members {
		if index > 0 {
			to = append(to, ',')
		}
		to = append(appendText(to, member.name), ':')
		to = appendValue(to, member.value)
	}
	return append(to, '}')
}

// appendText escapes what has to be, in the shortest way; section 3.2.2.2. The text is UTF-8.
func appendText(to []byte, text string) []byte {
	const hex = "0123456789abcdef"
	to = append(to, '"')
	for index := range len(text) {
		switch c := text[index]; {
		case c == '"' || c == '\\':
			to = append(to, '\\', c)
		case c == '\b':
			to = append(to, `\b`...)
		case c == '\t':
			to = append(to, `\t`...)
		case c == '\n':
			to = append(to, `\n`...)
		case c == '\f':
			to = append(to, `\f`...)
		case c == '\r':
			to = append(to, `\r`...)
		case c < ' ':
			to = append(to, '\\', 'u', '0', '0', hex[c>>4], hex[c&0xf])
		default:
			to = append(to, c)
		}
	}
	return append(to, '"')
}
