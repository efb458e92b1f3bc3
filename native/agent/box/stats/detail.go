package stats

import (
	"os"
	"strconv"
	"strings"
	"time"

	"a3s.dev/box/agent/box/cgroup"
	"a3s.dev/box/agent/linux"
)

// Bounds of the lists of devices.
const (
	maxIODevices = 256
	maxNetworks  = 16
)

// Detail has the counters of the box that are not in Stats.
type Detail struct {
	// ReadAt is the time of the guest's clock.
	ReadAt string
	// SystemUsec is the time of all processors since the guest booted, whether or not they had
	// something to do.
	SystemUsec uint64
	CPUs       uint64
	// CPU, Memory and Events are the lines of `cpu.stat`, `memory.stat` and `memory.events`.
	CPU, Memory, Events []Counter
	// 0 is unlimited.
	MemoryLimitBytes, PidsLimit uint64
	IO                          []IODevice
	Networks                    []NetworkDevice
}

// IODevice counts the bytes read from a block device and written to it.
type IODevice struct {
	Device                                 string
	ReadBytes, WrittenBytes, Reads, Writes uint64
}

// NetworkDevice counts what a network device received and sent.
type NetworkDevice struct {
	Name           string
	Received, Sent NetworkCounters
}

// NetworkCounters count in one direction.
type NetworkCounters struct{ Bytes, Packets, Errors, Dropped uint64 }

// ReadDetail reads the counters that hosts know since version 4. network is the text of the box's
// /proc/net/dev.
func ReadDetail(c *cgroup.Cgroup, network string) (*Detail, error) {
	cpus, err := onlineCPUs()
	if err != nil {
		return nil, err
	}
	d := &Detail{CPUs: uint64(cpus), ReadAt: time.Now().UTC().Format(time.RFC3339Nano), SystemUsec: uint64(linux.SinceBoot().Microseconds()) * uint64(cpus)}
	for file, counters := range map[string]*[]Counter{"cpu.stat": &d.CPU, "memory.stat": &d.Memory, "memory.events": &d.Events} {
		content, err := c.Read(file)
		if err != nil {
			return nil, err
		}
		*counters = parseCounters(string(content))
	}
	for file, limit := range map[string]*uint64{"memory.max": &d.MemoryLimitBytes, "pids.max": &d.PidsLimit} {
		content, err := c.Read(file)
		if err != nil {
			return nil, err
		}
		// "max" is none.
		*limit, _ = strconv.ParseUint(strings.TrimSpace(string(content)), 10, 64)
	}
	// A kernel without that controller has no such file.
	if content, err := c.Read("io.stat"); err == nil {
		d.IO = parseIO(string(content))
	}
	d.Networks = parseNetworks(network)
	return d, nil
}

// onlineCPUs counts the processors of the guest.
func onlineCPUs() (int, error) {
	list, err := os.ReadFile("/sys/devices/system/cpu/online")
	if err != nil {
		return 0, err
	}
	return max(countCPUs(strings.TrimSpace(string(list))), 1), nil
}

// countCPUs counts the numbers of a list such as "0-2,5".
func countCPUs(list string) (count int) {
	for part := range strings.SplitSeq(list, ",") {
		first, last, ranged := strings.Cut(part, "-")
		if !ranged {
			last = first
		}
		from, errFrom := strconv.Atoi(first)
		to, errTo := strconv.Atoi(last)
		if errFrom == nil && errTo == nil && to >= from {
			count += to - from + 1
		}
	}
	return count
}

// parseIO reads lines such as "254:0 rbytes=4096 wbytes=0 rios=1 wios=0 dbytes=0 dios=0".
func parseIO(content string) []IODevice {
	var devices []IODevice
	for line := range strings.Lines(content) {
		fields := strings.Fields(line)
		if len(fields) < 2 || len(devices) == maxIODevices {
			continue
		}
		device := IODevice{Device: fields[0]}
		for _, field := range fields[1:] {
			name, number, _ := strings.Cut(field, "=")
			value, err := strconv.ParseUint(number, 10, 64)
			if err != nil {
				continue
			}
			switch name {
			case "rbytes":
				device.ReadBytes = value
			case "wbytes":
				device.WrittenBytes = value
			case "rios":
				device.Reads = value
			case "wios":
				device.Writes = value
			}
		}
		devices = append(devices, device)
	}
	return devices
}

// parseNetworks reads the lines of /proc/net/dev: a name, a colon, eight numbers of what was
// received and eight of what was sent.
func parseNetworks(content string) []NetworkDevice {
	var devices []NetworkDevice
	for line := range strings.Lines(content) {
		name, rest, found := strings.Cut(line, ":")
		name = strings.TrimSpace(name)
		fields := strings.Fields(rest)
		if !found || name == "lo" || len(fields) < 16 || len(devices) == maxNetworks {
			continue
		}
		devices = append(devices, NetworkDevice{name, countersOf(fields[:8]), countersOf(fields[8:])})
	}
	return devices
}

func countersOf(fields []string) (counters NetworkCounters) {
	for index, value := range []*uint64{&counters.Bytes, &counters.Packets, &counters.Errors, &counters.Dropped} {
		*value, _ = strconv.ParseUint(fields[index], 10, 64)
	}
	return counters
}
