package rootfs

import (
	"errors"
	"os"
	"strings"
)

var errMountinfo = errors.New("mountinfo is malformed")

// topMounts lists the mounts that lie directly on the root mount, as paths relative to it, last
// mounted first; proc(5).
func topMounts(file string) ([]string, error) {
	content, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	type mount struct{ id, parent, path string }
	var mounts []mount
	rootID := ""
	for line := range strings.Lines(string(content)) {
		fields := strings.Fields(line)
		if len(fields) < 6 {
			return nil, errMountinfo
		}
		m := mount{fields[0], fields[1], unescape(fields[4])}
		// Paths begin at the last mount on "/".
		if m.path == "/" {
			rootID = m.id
		}
		mounts = append(mounts, m)
	}
	var paths []string
	for index := len(mounts) - 1; index >= 0; index-- {
		if m := mounts[index]; m.parent == rootID && m.path != "/" {
			paths = append(paths, strings.TrimPrefix(m.path, "/"))
		}
	}
	return paths, nil
}

// unescape undoes the octal escapes of space, tab, newline and backslash.
func unescape(path string) string {
	if !strings.Contains(path, `\`) {
		return path
	}
	var b strings.Builder
	for index := 0; index < len(path); index++ {
		if path[index] == '\\' && index+4 <= len(path) && isOctal(path[index+1:index+4]) {
			b.WriteByte((path[index+1]-'0')<<6 | (path[index+2]-'0')<<3 | (path[index+3] - '0'))
			index += 3
			continue
		}
		b.WriteByte(path[index])
	}
	return b.String()
}

func isOctal(digits string) bool {
	for index := range len(digits) {
		if digits[index] < '0' || digits[index] > '7' {
			return false
		}
	}
	return digits[0] <= '3'
}
