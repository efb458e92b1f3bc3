package sandbox

import (
	"time"

	"a3s.dev/box/agent/box/spec"
	"a3s.dev/box/agent/linux"
)

// Renew gives the guest random numbers, the time and ids of its own, which no two copies may share.
func (s *Sandbox) Renew(entropy []byte, now time.Time, machineID string) error {
	if err := linux.AddEntropy(s.random, entropy); err != nil {
		return err
	}
	if err := linux.SetClock(now.Unix(), int64(now.Nanosecond())); err != nil {
		return err
	}
	bootID, err := newBootID()
	if err != nil {
		return err
	}
	s.BootID, s.machineID = bootID, machineID
	return s.texts.Reidentify(machineID, bootID)
}

// newBootID makes a random UUID.
func newBootID() (string, error) {
	id := make([]byte, 16)
	for read := 0; read < len(id); {
		n, err := linux.Random(id[read:])
		if err != nil {
			return "", err
		}
		read += n
	}
	id[6] = id[6]&0x0f | 0x40
	id[8] = id[8]&0x3f | 0x80
	const digits = "0123456789abcdef"
	text := make([]byte, 0, 36)
	for index, octet := range id {
		if index == 4 || index == 6 || index == 8 || index == 10 {
			text = append(text, '-')
		}
		text = append(text, digits[octet>>4], digits[octet&15])
	}
	return string(text), nil
}

// Rename gives the box another host name, in its UTS namespace and in its files.
func (s *Sandbox) Rename(hostname string, spec *spec.Spec) error {
	if err := s.thread.do(func() error { return setHostname(hostname) }); err != nil {
		return err
	}
	return s.texts.Rename(hostname, spec)
}
