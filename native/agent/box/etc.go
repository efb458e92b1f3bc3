package box

import (
	"os"
	"strings"
	"syscall"

	"a3s.dev/box/agent/linux"
)

// mountEtc lays the three files of the network over those of the image, like Docker: what the image has there
// stays as it is.
func mountEtc(r root, spec *Spec) error {
	if err := mountAt("tmpfs", etcDir, harmless, linux.Option{Key: "mode", Value: "0755"}); err != nil {
		return err
	}
	for _, file := range []struct{ name, content string }{
		{"hostname", spec.Hostname + "\n"},
		{"hosts", hosts(spec)},
		{"resolv.conf", resolvConf(&spec.Network)},
	} {
		if err := mountText(r, file.name, file.content); err != nil {
			return &deviceError{"mount", "/etc/" + file.name, err}
		}
	}
	return nil
}

func mountText(r root, name, content string) error {
	source := etcDir + "/" + name
	if err := os.WriteFile(source, []byte(content), 0o644); err != nil {
		return err
	}
	mount, err := linux.CloneMount(-1, source, false)
	if err != nil {
		return err
	}
	defer syscall.Close(mount)
	return attachFile(r, mount, "/etc/"+name)
}

func hosts(spec *Spec) string {
	text := "127.0.0.1\tlocalhost\n" +
		"::1\tlocalhost ip6-localhost ip6-loopback\n" +
		"fe00::\tip6-localnet\n" +
		"ff00::\tip6-mcastprefix\n" +
		"ff02::1\tip6-allnodes\n" +
		"ff02::2\tip6-allrouters\n"
	if spec.Network.Kind == NetworkNIC {
		text += *spec.Network.Address + "\t" + spec.Hostname + "\n"
	}
	return text
}

func resolvConf(network *Network) string {
	if network.Kind != NetworkNIC {
		return ""
	}
	var b strings.Builder
	for _, server := range *network.Nameservers {
		b.WriteString("nameserver " + server + "\n")
	}
	if len(*network.Search) > 0 {
		b.WriteString("search " + strings.Join(*network.Search, " ") + "\n")
	}
	return b.String()
}
