package rootfs

import (
	"strings"

	"a3s.dev/box/agent/box/layers"
	"a3s.dev/box/agent/box/rootdir"
	"a3s.dev/box/agent/box/spec"
	"a3s.dev/box/agent/linux"
)

// mountEtc lays the three files of the network over those of the image, like Docker: what the image
// has there stays as it is. The box can write to them, unless its root is read-only.
func (t *Texts) mountEtc(r rootdir.Root, spec *spec.Spec) error {
	var attributes uint64
	if spec.Rootfs.Readonly {
		attributes = linux.Readonly
	}
	t.resolver = resolvConf(&spec.Network)
	for _, file := range []struct {
		text          *text
		path, content string
	}{
		{t.hostname, layers.HostnamePath, spec.Hostname + "\n"},
		{t.hosts, layers.HostsPath, hosts(spec.Hostname, spec)},
		{t.resolvConf, layers.ResolvConfPath, t.resolver},
	} {
		if err := file.text.set(file.content); err != nil {
			return err
		}
		if err := file.text.cover(r, file.path, attributes); err != nil {
			return layers.NewDeviceError("mount", file.path, err)
		}
	}
	return nil
}

func hosts(hostname string, spec *spec.Spec) string {
	network := &spec.Network
	text := "127.0.0.1\tlocalhost\n" +
		"::1\tlocalhost ip6-localhost ip6-loopback\n" +
		"fe00::\tip6-localnet\n" +
		"ff00::\tip6-mcastprefix\n" +
		"ff02::1\tip6-allnodes\n" +
		"ff02::2\tip6-allrouters\n"
	if spec.Hosts != nil {
		for _, host := range *spec.Hosts {
			text += host.Address + "\t" + host.Name + "\n"
		}
	}
	if network.Address != nil {
		text += *network.Address + "\t" + HostNames(hostname, spec.Domainname) + "\n"
	}
	if network.IPv6 != nil {
		text += network.IPv6.Address + "\t" + HostNames(hostname, spec.Domainname) + "\n"
	}
	return text
}

func resolvConf(network *spec.Network) string {
	if network.Kind != spec.NetworkNIC {
		return ""
	}
	var b strings.Builder
	for _, server := range *network.Nameservers {
		b.WriteString("nameserver " + server + "\n")
	}
	if len(*network.Search) > 0 {
		b.WriteString("search " + strings.Join(*network.Search, " ") + "\n")
	}
	if network.Options != nil && len(*network.Options) > 0 {
		b.WriteString("options " + strings.Join(*network.Options, " ") + "\n")
	}
	return b.String()
}
