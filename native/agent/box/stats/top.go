package stats

import (
	"io"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"

	"a3s.dev/box/agent/linux"
	"a3s.dev/box/agent/users"
)

// Bounds of a list of processes.
const (
	maxEntries = 4096
	maxArgs    = 256
	maxArg     = 4096
	// maxAllArgs bounds the arguments of all processes together: the processes beyond that have
	// none.
	maxAllArgs = 512 << 10
)

// ProcessEntry is a process of the box as `ps` would show it there.
type ProcessEntry struct {
	Pid, PPid int
	UID, GID  uint32
	User      string
	State     string
	Terminal  string
	Nice      int
	Threads   int
	StartedAt time.Time
	CPUUsec   uint64
	// Bytes.
	Resident, Virtual uint64
	Name              string
	Args              []string
}

// ListProcesses reads the processes from a mount of the box's /proc, which the box cannot mount
// over, and the names of users from the accounts below a root.
func ListProcesses(proc, root int) ([]ProcessEntry, error) {
	entries, err := readProcesses(proc)
	if err != nil {
		return nil, err
	}
	seen := map[uint32]bool{}
	for _, entry := range entries {
		seen[entry.UID] = true
	}
	// A box without accounts, or with unreadable ones, has numbers.
	passwd, _ := linux.ReadFile(root, "/etc/passwd", linux.InRoot|linux.NoMagicLinks, users.MaxFile)
	names := users.Names(passwd, seen)
	for index := range entries {
		entries[index].User = names[entries[index].UID]
	}
	return entries, nil
}

func readProcesses(proc int) ([]ProcessEntry, error) {
	fd, err := linux.OpenAt(proc, ".", syscall.O_RDONLY|syscall.O_DIRECTORY, 0, linux.Beneath|linux.NoCrossing)
	if err != nil {
		return nil, err
	}
	directory := os.NewFile(uintptr(fd), "proc")
	defer func() { _ = directory.Close() }()
	booted := time.Now().Add(-linux.SinceBoot())
	var entries []ProcessEntry
	for left := maxAllArgs; len(entries) < maxEntries; {
		names, err := directory.Readdirnames(256)
		if err == io.EOF {
			return entries, nil
		}
		if err != nil {
			return nil, err
		}
		for _, name := range names {
			if _, err := strconv.ParseUint(name, 10, 31); err != nil || len(entries) == maxEntries {
				continue
			}
			entry, ok := readProcess(fd, name, booted)
			if !ok {
				// It ended meanwhile.
				continue
			}
			content, _ := readProc(fd, name+"/cmdline", min(left, maxArgs*maxArg))
			entry.Args = parseArgs(content)
			left -= len(content)
			entries = append(entries, entry)
		}
	}
	return entries, nil
}

func readProcess(proc int, name string, booted time.Time) (entry ProcessEntry, ok bool) {
	stat, err := readProc(proc, name+"/stat", 4096)
	if err != nil {
		return entry, false
	}
	status, err := readProc(proc, name+"/status", 8192)
	if err != nil {
		return entry, false
	}
	entry, ticks, ok := parseStat(string(stat))
	if !ok {
		return entry, false
	}
	entry.UID, entry.GID = parseOwner(string(status))
	entry.StartedAt = booted.Add(time.Duration(ticks) * (time.Second / ticksPerSecond)).UTC()
	return entry, true
}

// readProc reads the first bytes of a file of a process, and of nothing that was mounted there.
func readProc(proc int, path string, limit int) ([]byte, error) {
	if limit <= 0 {
		return nil, nil
	}
	fd, err := linux.OpenAt(proc, path, syscall.O_RDONLY|syscall.O_NONBLOCK|syscall.O_NOCTTY, 0, linux.Beneath|linux.NoCrossing|linux.NoSymlinks)
	if err != nil {
		return nil, err
	}
	defer syscall.Close(fd)
	content := make([]byte, 0, min(limit, 4096))
	for len(content) < limit {
		if len(content) == cap(content) {
			content = append(content, 0)[:len(content)]
		}
		n, err := syscall.Read(fd, content[len(content):min(cap(content), limit)])
		if err == syscall.EINTR {
			continue
		}
		if err != nil {
			return nil, err
		}
		if n == 0 {
			break
		}
		content = content[:len(content)+n]
	}
	return content, nil
}

// ticksPerSecond is the unit in which the kernel counts for programs: USER_HZ.
const ticksPerSecond = 100

// parseStat reads `/proc/PID/stat`, and returns also the ticks between the boot and the start of
// the process. A process chooses its name, which may hold parentheses, so the name ends with the
// last one.
func parseStat(text string) (entry ProcessEntry, started uint64, ok bool) {
	before, rest, found := strings.Cut(text, " (")
	end := strings.LastIndex(rest, ") ")
	if !found || end < 0 {
		return entry, 0, false
	}
	entry.Name = rest[:end]
	fields := strings.Fields(rest[end+2:])
	// From the third on, as proc(5) counts them.
	const state, ppid, terminal, user, kernel, nice, threads, start, virtual, resident = 0, 1, 4, 11, 12, 16, 17, 19, 20, 21
	if len(fields) <= resident || len(fields[state]) != 1 {
		return entry, 0, false
	}
	numbers := make([]int64, len(fields))
	for index := range fields {
		// Those that are larger are addresses.
		numbers[index], _ = strconv.ParseInt(fields[index], 10, 64)
	}
	pid, err := strconv.Atoi(before)
	if err != nil || pid < 1 {
		return entry, 0, false
	}
	entry.Pid, entry.PPid, entry.State = pid, int(max(numbers[ppid], 0)), fields[state]
	entry.Terminal = terminalName(numbers[terminal])
	entry.Nice, entry.Threads = int(min(max(numbers[nice], -20), 19)), int(max(numbers[threads], 0))
	entry.CPUUsec = uint64(max(numbers[user]+numbers[kernel], 0)) * (1_000_000 / ticksPerSecond)
	entry.Virtual, entry.Resident = uint64(max(numbers[virtual], 0)), uint64(max(numbers[resident], 0))*uint64(os.Getpagesize())
	return entry, uint64(max(numbers[start], 0)), true
}

// terminalName is the device file below /dev of a number as the kernel encodes it.
func terminalName(number int64) string {
	major, minor := number>>8&0xfff, number&0xff|number>>12&0xfff00
	switch {
	case major == 136:
		return "pts/" + strconv.FormatInt(minor, 10)
	case major == 5 && minor == 1:
		return "console"
	case major == 4 && minor < 64:
		return "tty" + strconv.FormatInt(minor, 10)
	default:
		return ""
	}
}

// parseOwner reads the effective user and group of `/proc/PID/status`.
func parseOwner(text string) (uid, gid uint32) {
	for line := range strings.Lines(text) {
		name, rest, _ := strings.Cut(line, ":")
		fields := strings.Fields(rest)
		if len(fields) < 2 || name != "Uid" && name != "Gid" {
			continue
		}
		id, _ := strconv.ParseUint(fields[1], 10, 32)
		if name == "Uid" {
			uid = uint32(id)
		} else {
			gid = uint32(id)
		}
	}
	return uid, gid
}

// parseArgs splits a command line into its arguments. It bounds their number and the length of
// each.
func parseArgs(content []byte) []string {
	text := strings.TrimSuffix(string(content), "\x00")
	args := []string{}
	if text == "" {
		return args
	}
	for arg := range strings.SplitSeq(text, "\x00") {
		if len(args) == maxArgs {
			break
		}
		args = append(args, arg[:min(len(arg), maxArg)])
	}
	return args
}
