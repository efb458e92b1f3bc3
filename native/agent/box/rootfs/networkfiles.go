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
	if len(content) < maxHosts && len(added)+len(removed) > 0 {
		if err := t.hosts.set(moveHosts(content, names, added, removed)); err != nil {
			return err
		}
	}
	present, err := t.resolvConf.content()
	if err != nil || present != t.resolver {
		return err
	}
	return t.setResolver(resolvConf(&spec.Network{
		Kind: spec.NetworkNIC, Nameservers: &networks.Nameservers, Search: &networks.Search, Options: networks.Options,
	}))
}

// moveHosts takes the lines of addresses from a hosts file, and adds some for others.
func moveHosts(content, names string, added, removed []string) string {
	var b strings.Builder
	for line := range strings.Lines(content) {
		fields := strings.Fields(line)
		if len(fields) > 0 && slices.Contains(removed, fields[0]) {
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
