package server

import (
	"strconv"
	"unicode/utf8"

	"a3s.dev/box/agent/box/process"
)

// The documents of the protocol are few and flat, so they are written out: what package
// encoding/json executes for the first of a type is more than all the rest of an answer.

// appendText appends a string; RFC 8259, section 7.
func appendText(to []byte, text string) []byte {
	const hex = "0123456789abcdef"
	to = append(to, '"')
	start := 0
	for index := 0; index < len(text); {
		c := text[index]
		if c >= utf8.RuneSelf {
			char, size := utf8.DecodeRuneInString(text[index:])
			if char == utf8.RuneError && size == 1 {
				to = append(append(to, text[start:index]...), `\ufffd`...)
				start = index + 1
			}
			index += size
			continue
		}
		switch {
		case c == '"' || c == '\\':
			to = append(append(to, text[start:index]...), '\\', c)
			start = index + 1
		case c < ' ':
			to = append(append(to, text[start:index]...), '\\', 'u', '0', '0', hex[c>>4], hex[c&0xf])
			start = index + 1
		}
		index++
	}
	return append(append(to, text[start:]...), '"')
}

func appendNullable(to []byte, text *string) []byte {
	if text == nil {
		return append(to, "null"...)
	}
	return appendText(to, *text)
}

// appendError has the field of the launch spec that decided, where one did.
func appendError(to []byte, code, message, rule string) []byte {
	to = appendText(append(to, `{"error":{"code":`...), code)
	to = appendText(append(to, `,"message":`...), message)
	if rule != "" {
		to = appendText(append(to, `,"rule":`...), rule)
	}
	return append(to, "}}"...)
}

func appendExit(to []byte, exit *process.Exit) []byte {
	if exit == nil {
		return append(to, "null"...)
	}
	to = strconv.AppendInt(append(to, `{"exitCode":`...), int64(exit.ExitCode), 10)
	to = appendNullable(append(to, `,"signal":`...), exit.Signal)
	to = strconv.AppendBool(append(to, `,"oomKilled":`...), exit.OOMKilled)
	to = appendText(append(to, `,"finishedAt":`...), exit.FinishedAt)
	// Older hosts know nothing of it, and only a confidential guest, which they do not start, has
	// it.
	if exit.Error != nil {
		to = appendText(append(to, `,"error":{"code":`...), exit.Error.Code)
		to = append(appendText(append(to, `,"message":`...), exit.Error.Message), '}')
	}
	return append(to, '}')
}

func appendReport(to []byte, report process.Report) []byte {
	to = appendText(append(to, `{"id":`...), report.ID)
	to = appendText(append(to, `,"state":`...), report.State)
	to = strconv.AppendInt(append(to, `,"pid":`...), int64(report.Pid), 10)
	to = appendNullable(append(to, `,"startedAt":`...), report.StartedAt)
	to = appendExit(append(to, `,"exit":`...), report.Exit)
	to = strconv.AppendUint(append(to, `,"written":`...), report.Written, 10)
	to = strconv.AppendUint(append(to, `,"acknowledged":`...), report.Acknowledged, 10)
	return append(appendUser(to, report.User), '}')
}

// appendUser appends the key with its value, unless there is none.
func appendUser(to []byte, user *process.User) []byte {
	if user == nil {
		return to
	}
	to = strconv.AppendUint(append(to, `,"user":{"uid":`...), uint64(user.UID), 10)
	to = strconv.AppendUint(append(to, `,"gid":`...), uint64(user.GID), 10)
	to = append(to, `,"groups":[`...)
	for index, group := range user.Groups {
		to = strconv.AppendUint(separate(to, index), uint64(group), 10)
	}
	return append(to, `]}`...)
}
