package launchspec

import "bytes"

// privilegedMark is what HOST_DATA of a privileged box begins with, so that a verifier that has a
// report alone knows it.
var privilegedMark = []byte("a3s-priv")

// IsPrivileged says whether the workload has all of its guest.
func (s *Spec) IsPrivileged() bool { return s.Confinement.Privileged != nil }

// HostData is the HOST_DATA that belongs to a spec with this digest. There is none for a spec that
// is not privileged and whose digest says that it is.
func (s *Spec) HostData(digest [32]byte) (hostData [32]byte, ok bool) {
	if !s.IsPrivileged() {
		return digest, !bytes.HasPrefix(digest[:], privilegedMark)
	}
	copy(digest[:], privilegedMark)
	return digest, true
}
