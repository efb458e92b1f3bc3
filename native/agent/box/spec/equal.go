package spec

// Equal says whether both name the same place to write to, of the same size.
func (c Changes) Equal(other Changes) bool {
	sized := c.Bytes == other.Bytes || c.Bytes != nil && other.Bytes != nil && *c.Bytes == *other.Bytes
	return sized && c.Kind == other.Kind && (c.Kind == ChangesMemory || *c.Serial == *other.Serial)
}

// EqualButMAC compares all but the MAC address, which any network can be given.
func (n *Network) EqualButMAC(other *Network) bool {
	return n.Kind == other.Kind && (n.Kind == NetworkNone || *n.MTU == *other.MTU && *n.Address == *other.Address &&
		*n.PrefixLength == *other.PrefixLength && *n.Gateway == *other.Gateway && n.IPv6.Equal(other.IPv6))
}

// Equal compares what two cards have of IPv6, of which each may have none.
func (i *IPv6) Equal(other *IPv6) bool {
	return i == other || i != nil && other != nil && *i == *other
}
