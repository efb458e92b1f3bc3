package server

import (
	"strconv"
	"time"

	"a3s.dev/box/agent/box/spec"
	"a3s.dev/box/agent/box/stats"
	"a3s.dev/box/agent/stream"
	"a3s.dev/box/agent/strictjson"
)

func (s *Server) putResources(body []byte) (reply, error) {
	var resources spec.Resources
	if err := strictjson.Decode(body, &resources); err != nil {
		return reply{}, err
	}
	return nothing, s.Box.PutResources(&resources)
}

// putNetworks is since version 17.
func (s *Server) putNetworks(body []byte) (reply, error) { return s.replaceNetworks(body, true) }

// putUnresolvedNetworks puts the names of other boxes into files alone.
func (s *Server) putUnresolvedNetworks(body []byte) (reply, error) {
	return s.replaceNetworks(body, false)
}

func (s *Server) replaceNetworks(body []byte, resolves bool) (reply, error) {
	var networks spec.Networks
	if err := strictjson.Decode(body, &networks); err != nil {
		return reply{}, err
	}
	return nothing, s.Box.PutNetworks(&networks, resolves, false)
}

func (s *Server) stats(_ []byte, _ string) (reply, error) {
	stats, err := s.Box.Stats()
	if err != nil {
		return reply{}, err
	}
	return reply{200, append(appendStats(nil, stats), '}')}, nil
}

// detailedStats is since version 4.
func (s *Server) detailedStats(_ []byte, _ string) (reply, error) {
	stats, err := s.Box.Stats()
	if err != nil {
		return reply{}, err
	}
	detail, err := s.Box.Detail()
	if err != nil {
		return reply{}, err
	}
	to := append(appendStats(make([]byte, 0, 8<<10), stats), `,"detail":`...)
	return reply{200, append(appendDetail(to, detail), '}')}, nil
}

// number is a member of an object.
type number struct {
	name  string
	value uint64
}

// appendNumbers appends members, each after a comma except the first of an object.
func appendNumbers(to []byte, numbers ...number) []byte {
	for _, n := range numbers {
		if to[len(to)-1] != '{' {
			to = append(to, ',')
		}
		to = strconv.AppendUint(append(appendText(to, n.name), ':'), n.value, 10)
	}
	return to
}

func appendStats(to []byte, stats *stats.Stats) []byte {
	return appendNumbers(append(to, '{'), number{"memoryBytes", stats.MemoryBytes}, number{"memoryPeakBytes", stats.MemoryPeakBytes},
		number{"cpuUsec", stats.CPUUsec}, number{"pids", stats.Pids})
}

func appendDetail(to []byte, d *stats.Detail) []byte {
	to = appendText(append(to, `{"readAt":`...), d.ReadAt)
	to = appendNumbers(to, number{"systemUsec", d.SystemUsec}, number{"cpus", d.CPUs}, number{"userUsec", stats.Value(d.CPU, "user_usec")},
		number{"kernelUsec", stats.Value(d.CPU, "system_usec")})
	to = appendNumbers(append(to, `,"throttled":{`...), number{"periods", stats.Value(d.CPU, "nr_periods")},
		number{"throttledPeriods", stats.Value(d.CPU, "nr_throttled")}, number{"throttledUsec", stats.Value(d.CPU, "throttled_usec")})
	to = appendNumbers(append(to, '}'), number{"memoryLimitBytes", d.MemoryLimitBytes}, number{"pidsLimit", d.PidsLimit})
	to = append(to, `,"memory":{`...)
	for _, line := range d.Memory {
		to = appendNumbers(to, number{line.Name, line.Value})
	}
	to = appendNumbers(append(to, '}'), number{"oomKills", stats.Value(d.Events, "oom_kill")})
	to = append(to, `,"io":[`...)
	for index, device := range d.IO {
		to = appendText(append(separate(to, index), `{"device":`...), device.Device)
		to = append(appendNumbers(to, number{"readBytes", device.ReadBytes}, number{"writtenBytes", device.WrittenBytes},
			number{"reads", device.Reads}, number{"writes", device.Writes}), '}')
	}
	to = append(to, `],"networks":[`...)
	for index, device := range d.Networks {
		to = appendText(append(separate(to, index), `{"name":`...), device.Name)
		to = appendNumbers(to, number{"receivedBytes", device.Received.Bytes}, number{"receivedPackets", device.Received.Packets},
			number{"receiveErrors", device.Received.Errors}, number{"receiveDropped", device.Received.Dropped})
		to = append(appendNumbers(to, number{"sentBytes", device.Sent.Bytes}, number{"sentPackets", device.Sent.Packets},
			number{"sendErrors", device.Sent.Errors}, number{"sendDropped", device.Sent.Dropped}), '}')
	}
	return append(to, "]}"...)
}

// separate puts a comma before every element of an array but the first.
func separate(to []byte, index int) []byte {
	if index > 0 {
		return append(to, ',')
	}
	return to
}

// top is answered beside all else: what it reads is the box's, which may be slow to give it.
func (s *Server) top(t stream.Stream, _ []byte, _ string) {
	s.queue.after("", func() {
		go func() {
			entries, err := s.Box.Top()
			if err != nil {
				writeError(t, err)
				return
			}
			writeJSON(t, reply{200, appendTop(make([]byte, 0, 4<<10), entries)})
		}()
	})
}

func appendTop(to []byte, entries []stats.ProcessEntry) []byte {
	to = append(to, `{"processes":[`...)
	for index, entry := range entries {
		to = appendNumbers(append(separate(to, index), '{'), number{"pid", uint64(entry.Pid)}, number{"ppid", uint64(entry.PPid)},
			number{"uid", uint64(entry.UID)}, number{"gid", uint64(entry.GID)})
		to = appendText(append(to, `,"user":`...), entry.User)
		to = appendText(append(to, `,"state":`...), entry.State)
		to = appendText(append(to, `,"terminal":`...), entry.Terminal)
		to = strconv.AppendInt(append(to, `,"nice":`...), int64(entry.Nice), 10)
		to = appendNumbers(to, number{"threads", uint64(entry.Threads)}, number{"cpuUsec", entry.CPUUsec},
			number{"residentBytes", entry.Resident}, number{"virtualBytes", entry.Virtual})
		to = appendText(append(to, `,"startedAt":`...), entry.StartedAt.Format(time.RFC3339Nano))
		to = appendText(append(to, `,"name":`...), entry.Name)
		to = append(to, `,"args":[`...)
		for index, arg := range entry.Args {
			to = appendText(separate(to, index), arg)
		}
		to = append(to, "]}"...)
	}
	return append(to, "]}"...)
}
