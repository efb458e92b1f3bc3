package stage

import (
	"encoding/binary"
	"errors"

	"a3s.dev/box/agent/linux"
	"a3s.dev/box/agent/users"
)

// ExecRequest describes the process that a stage becomes or starts. It is trusted, since the agent
// writes it.
type ExecRequest struct {
	// Main makes the stage itself the main process, in the namespaces that it was started in.
	// Otherwise it enters those of its descriptors, and starts a child there.
	Main bool
	// ReportsUser has the stage report whom the process runs as.
	ReportsUser bool
	// Init has main be a child of the stage, which becomes an init.
	Init bool

	Args     []string
	Env      []string
	Cwd      string
	User     string
	Terminal bool
	// Stdin: descriptor stdin is the input; otherwise it is the box's /dev/null.
	Stdin         bool
	Rows, Columns uint16

	Capabilities    uint64
	NoNewPrivileges bool
	// Filter is empty for an unconfined process. FilterFlags are those of linux/seccomp.h.
	Filter      []linux.Instruction
	FilterFlags uint32
	// Groups are supplementary groups besides those of the user, each a name or a number.
	Groups []string
	// GroupsPolicy says which groups of the user are those of the box's /etc/group.
	GroupsPolicy users.GroupsPolicy
	// OOMScore says how readily the kernel ends the process for lack of memory, from -1000 to 1000.
	OOMScore int16

	Limits []Limit
}

// Limit is a resource limit; the resource is a number of setrlimit.
type Limit struct {
	Resource   int
	Soft, Hard uint64
}

var errRequest = errors.New("the exec request is cut short")

// encode appends the exec request in the form that decodeRequest reads.
func (r *ExecRequest) encode(b []byte) []byte {
	for _, flag := range []bool{r.Main, r.ReportsUser, r.Init, r.Terminal, r.Stdin, r.NoNewPrivileges} {
		var bit byte
		if flag {
			bit = 1
		}
		b = append(b, bit)
	}
	b = append(b, byte(r.GroupsPolicy))
	b = binary.LittleEndian.AppendUint16(b, r.Rows)
	b = binary.LittleEndian.AppendUint16(b, r.Columns)
	b = binary.LittleEndian.AppendUint64(b, r.Capabilities)
	b = binary.LittleEndian.AppendUint16(b, uint16(r.OOMScore))
	b = binary.LittleEndian.AppendUint32(b, r.FilterFlags)
	b = appendText(b, r.Cwd)
	b = appendText(b, r.User)
	for _, list := range [][]string{r.Args, r.Env, r.Groups} {
		b = binary.LittleEndian.AppendUint32(b, uint32(len(list)))
		for _, text := range list {
			b = appendText(b, text)
		}
	}
	b = binary.LittleEndian.AppendUint32(b, uint32(len(r.Limits)))
	for _, limit := range r.Limits {
		b = binary.LittleEndian.AppendUint32(b, uint32(limit.Resource))
		b = binary.LittleEndian.AppendUint64(b, limit.Soft)
		b = binary.LittleEndian.AppendUint64(b, limit.Hard)
	}
	b = binary.LittleEndian.AppendUint32(b, uint32(len(r.Filter)))
	for _, in := range r.Filter {
		b = binary.LittleEndian.AppendUint16(b, in.Code)
		b = append(b, in.Jt, in.Jf)
		b = binary.LittleEndian.AppendUint32(b, in.K)
	}
	return b
}

func appendText(b []byte, text string) []byte {
	return append(binary.LittleEndian.AppendUint32(b, uint32(len(text))), text...)
}

func decodeRequest(data []byte) (*ExecRequest, error) {
	d := &decoder{data: data}
	r := &ExecRequest{}
	for _, flag := range []*bool{&r.Main, &r.ReportsUser, &r.Init, &r.Terminal, &r.Stdin, &r.NoNewPrivileges} {
		*flag = d.take(1)[0] == 1
	}
	r.GroupsPolicy = users.GroupsPolicy(d.take(1)[0])
	r.Rows = binary.LittleEndian.Uint16(d.take(2))
	r.Columns = binary.LittleEndian.Uint16(d.take(2))
	r.Capabilities = binary.LittleEndian.Uint64(d.take(8))
	r.OOMScore = int16(binary.LittleEndian.Uint16(d.take(2)))
	r.FilterFlags = binary.LittleEndian.Uint32(d.take(4))
	r.Cwd = d.text()
	r.User = d.text()
	for _, list := range []*[]string{&r.Args, &r.Env, &r.Groups} {
		for range d.count() {
			*list = append(*list, d.text())
		}
	}
	for range d.count() {
		resource := int(binary.LittleEndian.Uint32(d.take(4)))
		soft := binary.LittleEndian.Uint64(d.take(8))
		r.Limits = append(r.Limits, Limit{resource, soft, binary.LittleEndian.Uint64(d.take(8))})
	}
	instructions := d.count()
	if instructions > 0 {
		r.Filter = make([]linux.Instruction, 0, instructions)
	}
	for range instructions {
		in := linux.Instruction{Code: binary.LittleEndian.Uint16(d.take(2))}
		jumps := d.take(2)
		in.Jt, in.Jf = jumps[0], jumps[1]
		in.K = binary.LittleEndian.Uint32(d.take(4))
		r.Filter = append(r.Filter, in)
	}
	if d.short || len(d.data) != 0 {
		return nil, errRequest
	}
	return r, nil
}

type decoder struct {
	data  []byte
	short bool
}

var zeros [8]byte

// take returns zeros once the data is used up; the caller checks short at the end.
func (d *decoder) take(n int) []byte {
	if n > len(d.data) {
		d.short = true
		d.data = nil
		return zeros[:min(n, len(zeros))]
	}
	taken := d.data[:n]
	d.data = d.data[n:]
	return taken
}

func (d *decoder) count() int {
	n := int(binary.LittleEndian.Uint32(d.take(4)))
	if n > len(d.data) {
		d.short = true
		return 0
	}
	return n
}

func (d *decoder) text() string {
	n := d.count()
	return string(d.take(n))
}
