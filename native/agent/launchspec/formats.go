package launchspec

import (
	"slices"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// isText counts characters, however many bytes or UTF-16 units each has. The text is UTF-8.
func isText(text string, limit int) bool {
	return !strings.Contains(text, "\x00") && utf8.RuneCountInString(text) <= limit
}

func isAbsolute(path string) bool { return strings.HasPrefix(path, "/") && isText(path, maxPath) }

func isDigest(text string) bool {
	hex, ok := strings.CutPrefix(text, "sha256:")
	return ok && isSHA256(hex)
}

func isSHA256(text string) bool {
	return len(text) == 64 && matches(text, 64, isHex, isHex)
}

// isName is for deployments and secrets.
func isName(text string) bool {
	return matches(text, 63, isLowerDigit, func(c byte) bool { return isLowerDigit(c) || c == '.' || c == '_' || c == '-' })
}

func isHostname(text string) bool {
	return matches(text, 63, isAlphanumeric, func(c byte) bool { return isAlphanumeric(c) || c == '.' || c == '-' })
}

func isVariable(text string) bool {
	return matches(text, 128, func(c byte) bool { return isAlphanumeric(c) && !isDigit(c) || c == '_' },
		func(c byte) bool { return isAlphanumeric(c) || c == '_' })
}

// matches says whether text has 1 to limit bytes, the first and all others of some kind.
func matches(text string, limit int, first, other func(byte) bool) bool {
	if text == "" || len(text) > limit || !first(text[0]) {
		return false
	}
	for index := 1; index < len(text); index++ {
		if !other(text[index]) {
			return false
		}
	}
	return true
}

// ascending says whether texts are sorted by their UTF-16 units, as relying parties sort them, and
// each there once.
func ascending(texts []string) bool {
	for index := 1; index < len(texts); index++ {
		if slices.Compare(utf16.Encode([]rune(texts[index-1])), utf16.Encode([]rune(texts[index]))) >= 0 {
			return false
		}
	}
	return true
}

func isHex(c byte) bool          { return isDigit(c) || 'a' <= c && c <= 'f' }
func isDigit(c byte) bool        { return '0' <= c && c <= '9' }
func isLowerDigit(c byte) bool   { return isDigit(c) || 'a' <= c && c <= 'z' }
func isAlphanumeric(c byte) bool { return isLowerDigit(c) || 'A' <= c && c <= 'Z' }
