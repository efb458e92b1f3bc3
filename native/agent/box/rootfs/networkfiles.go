package rootfs

import (
	"io"
	"os"
	"slices"
	"strings"

	"a3s.dev/box/agent/box/spec"
)

// maxHosts bounds what is read of a file that the box may write to.
const maxHosts = 1 << 20

// HostNames are the names of a box in its /etc/hosts.
func HostNames(hostname string, domain *string) string {
	if domain == nil {
		return hostname
	}
	return hostname + "." + *domain + " " + hostname
}

// SetNetworks tells the box's files of other networks. As with Docker, the lines that others have
// written to /etc/hosts stay, and /etc/resolv.conf is left alone once the box has changed it.
func (t *Texts) SetNetworks(networks *spec.Networks, names string, added, removed []string) error {
	content, err := t.hosts.content()
	if err != nil {
		return err
	}
	linked := linkedLines(networks.Hosts)
	if len(content) < maxHosts && (len(added)+len(removed) > 0 || !slices.Equal(linked, t.linked)) {
		moved := moveHosts(content, names, added, removed)
		if err := t.hosts.set(replaceLines(moved, t.linked, linked)); err != nil {
			return err
		}
		t.linked = linked
	}
	present, err := t.resolvConf.content()
	if err != nil || present != t.resolver {
		return err
	}
	return t.setResolver(resolvConf(&spec.Network{
		Kind: spec.NetworkNIC, Nameservers: &networks.Nameservers, Search: &networks.Search, Options: networks.Options,
	}))
}

// moveHosts takes the lines of the box's own addresses from a hosts file, and adds some for others.
// Lines that give another name one of these addresses stay: a launch spec may have them.
func moveHosts(content, names string, added, removed []string) string {
	var b strings.Builder
	for line := range strings.Lines(content) {
		fields := strings.Fields(line)
		if len(fields) > 1 && slices.Contains(removed, fields[0]) && strings.Join(fields[1:], " ") == names {
			continue
		}
		b.WriteString(line)
		if !strings.HasSuffix(line, "\n") {
			b.WriteByte('\n')
		}
	}
	for _, address := range added {
		b.WriteString(address + "\t" + names + "\n")
	}
	return b.String()
}

// linkedLines are the lines of a hosts file for other boxes.
func linkedLines(hosts *[]spec.Host) []string {
	if hosts == nil {
		return nil
	}
	lines := make([]string, 0, len(*hosts))
	for _, host := range *hosts {
		lines = append(lines, host.Address+"\t"+host.Name+"\n")
	}
	return lines
}

// replaceLines takes as many lines from a file as the agent has added, and adds others.
func replaceLines(content string, removed, added []string) string {
	if slices.Equal(removed, added) {
		return content
	}
	var b strings.Builder
	left := slices.Clone(removed)
	for line := range strings.Lines(content) {
		if at := slices.Index(left, line); at >= 0 {
			left = slices.Delete(left, at, at+1)
			continue
		}
		b.WriteString(line)
	}
	if text := b.String(); text != "" && !strings.HasSuffix(text, "\n") && len(added) > 0 {
		b.WriteByte('\n')
	}
	for _, line := range added {
		b.WriteString(line)
	}
	return b.String()
}

// setResolver writes /etc/resolv.conf, and keeps in mind what it has written.
func (t *Texts) setResolver(content string) error {
	t.resolver = content
	return t.resolvConf.set(content)
}

// content reads the file, which the box may have written to.
func (t *text) content() (string, error) {
	content, err := io.ReadAll(io.NewSectionReader(t.file, 0, maxHosts))
	if err != nil {
		return "", &os.PathError{Op: "read", Path: t.file.Name(), Err: err}
	}
	return string(content), nil
}
