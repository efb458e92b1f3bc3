package stage

import (
	"strings"
	"syscall"

	"a3s.dev/box/agent/linux"
)

// defaultPath is Docker's, for a process without PATH.
const defaultPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

// lookPath finds the program that the calling thread's user may execute. The texts of refusals are
// Docker's.
func lookPath(name string, env []string) (string, error) {
	prefix := `exec: "` + name + `": `
	if strings.Contains(name, "/") {
		switch errno := executable(name); errno {
		case 0:
			return name, nil
		case syscall.ENOENT, syscall.ENOTDIR:
			return "", &Refusal{CommandNotFound, prefix + "stat " + name + ": " + errno.Error()}
		default:
			return "", &Refusal{CommandNotExecutable, prefix + errno.Error()}
		}
	}
	denied := false
	for dir := range strings.SplitSeq(searchPath(env), ":") {
		if dir == "" {
			dir = "."
		}
		candidate := strings.TrimSuffix(dir, "/") + "/" + name
		switch executable(candidate) {
		case 0:
			return candidate, nil
		case syscall.EACCES:
			denied = true
		}
	}
	if denied {
		return "", &Refusal{CommandNotExecutable, prefix + syscall.EACCES.Error()}
	}
	return "", &Refusal{CommandNotFound, prefix + "executable file not found in $PATH"}
}

func searchPath(env []string) string {
	for _, entry := range env {
		if path, ok := strings.CutPrefix(entry, "PATH="); ok {
			return path
		}
	}
	return defaultPath
}

func executable(path string) syscall.Errno {
	var stat syscall.Stat_t
	if err := syscall.Stat(path, &stat); err != nil {
		return err.(syscall.Errno)
	}
	if stat.Mode&syscall.S_IFMT == syscall.S_IFDIR {
		return syscall.EISDIR
	}
	return linux.Executable(path)
}
