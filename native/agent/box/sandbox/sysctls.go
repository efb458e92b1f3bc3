package sandbox

import (
	"errors"
	"os"
	"syscall"

	"a3s.dev/box/agent/box/spec"
	"a3s.dev/box/agent/linux"
)

// setKernel gives the box's namespaces, which this thread is in, the box's domain and its settings.
// The text of its refusals is runc's.
func setKernel(s *spec.Spec, in *Network) error {
	if s.Domainname != nil {
		if err := syscall.Setdomainname([]byte(*s.Domainname)); err != nil {
			return &linux.Error{Op: "setdomainname", On: *s.Domainname, Errno: err.(syscall.Errno)}
		}
	}
	if s.Sysctls == nil {
		return nil
	}
	// /proc/sys/net shows the network of who opens it.
	if err := linux.SetNamespace(in.namespace, syscall.CLONE_NEWNET); err != nil {
		return err
	}
	for _, setting := range *s.Sysctls {
		if err := writeSysctl("/proc/sys/"+setting.Path, setting.Value); err != nil {
			return err
		}
	}
	return nil
}

func writeSysctl(path, value string) error {
	file, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = file.WriteString(value)
	return errors.Join(err, file.Close())
}
