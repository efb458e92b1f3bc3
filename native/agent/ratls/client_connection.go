package ratls

import (
	"crypto/tls"
	"net"
	"sync"
	"sync/atomic"

	"a3s.dev/box/agent/evidence"
)

// Labels of TLS exporters; RFC 8446, section 7.5.
const (
	attestLabel  = "EXPORTER-a3s-box-attest-v1"
	injectLabel  = "EXPORTER-a3s-box-inject-v1"
	sealLabel    = "EXPORTER-a3s-box-seal-v1"
	exporterSize = 32
)

// connection is the stream that TLS runs over, and the server's record of its peer.
type connection struct {
	net.Conn
	once   sync.Once
	closed chan struct{}
	failed error
	member *member
	// asked: the peer has challenged the guest; asking: it waits for the answer, and for one at a
	// time.
	asked, asking atomic.Bool
	// attested: the peer has got evidence that is bound to this connection.
	attested          atomic.Bool
	attests, injected *evidence.Bucket
	// large is held while a large body of the peer's is in memory.
	large chan struct{}
}

func (b *bounds) newConnection(raw net.Conn) *connection {
	return &connection{
		Conn:     raw,
		closed:   make(chan struct{}),
		attests:  evidence.NewBucket(b.attests.size, b.attests.perSecond),
		injected: evidence.NewBucket(b.injections.size, b.injections.perSecond),
		large:    make(chan struct{}, 1),
	}
}

// alone waits until no other large body of the peer's is in memory: what a stranger can have the
// guest hold is taken from the workload.
func (c *connection) alone() (leave func(), err error) {
	select {
	case c.large <- struct{}{}:
		return func() { <-c.large }, nil
	case <-c.closed:
		return nil, net.ErrClosed
	}
}

// Close can be called by several, and by TLS.
func (c *connection) Close() error {
	c.once.Do(func() {
		c.failed = c.Conn.Close()
		close(c.closed)
	})
	return c.failed
}

// export returns keying material that only the two ends of this connection know.
func export(state *tls.ConnectionState, label string, context []byte) ([]byte, error) {
	return state.ExportKeyingMaterial(label, context, exporterSize)
}
