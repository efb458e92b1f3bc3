package launchspec

import (
	"strconv"
	"strings"
)

// Broker is the secret broker that the agent fetches secrets from, and that counts volumes.
type Broker struct {
	// Host is a name or an address, which is the untrusted host's to find: the key decides.
	Host   string `json:"host"`
	Port   int64  `json:"port"`
	Tenant string `json:"tenant"`
	// Key is the SHA-256 digest of the SubjectPublicKeyInfo of the broker's TLS certificate, in
	// hexadecimal digits.
	Key string `json:"key"`
	// Tokens permits the workload to have attestation results of the broker; nil is false.
	Tokens *bool `json:"tokens"`
}

// GivesTokens says whether the workload can have attestation results of the broker.
func (s *Spec) GivesTokens() bool { return s.Broker != nil && s.Broker.Tokens != nil }

const (
	maxBrokerHost = 253
	maxAddress    = 45
	maxPort       = 65535
	resourceParts = 3
	maxSegment    = 128
)

// broker takes the absence of a broker as the only way to say that nothing is fetched.
func (c *checks) broker(s *Spec) {
	used := s.Counted() > 0 || s.Keyed() > 0
	for index, secret := range s.Secrets {
		if secret.Resource == nil {
			continue
		}
		used = true
		c.that(isResource(*secret.Resource), "secrets["+strconv.Itoa(index)+"].resource", "is not repository/type/tag")
	}
	used = used || s.GivesTokens()
	c.that(used == (s.Broker != nil), "broker", "must be there where a secret or a key is fetched, a volume counted or a token given, and only there")
	if s.Broker == nil {
		return
	}
	c.that(isBrokerHost(s.Broker.Host), "broker.host", "is not a host")
	c.between(s.Broker.Port, 1, maxPort, "broker.port")
	c.that(isTenant(s.Broker.Tenant), "broker.tenant", "is not the name of a tenant")
	c.that(isSHA256(s.Broker.Key), "broker.key", "is not a SHA-256 digest")
	c.that(s.Broker.Tokens == nil || *s.Broker.Tokens, "broker.tokens", "is true, or absent")
}

// isBrokerHost takes names in lower case, and addresses.
func isBrokerHost(text string) bool {
	name := func(c byte) bool { return isLowerDigit(c) || c == '.' || c == '-' }
	address := func(c byte) bool { return isHex(c) || c == ':' }
	return matches(text, maxBrokerHost, isLowerDigit, name) ||
		strings.Contains(text, ":") && matches(text, maxAddress, address, address)
}

func isTenant(text string) bool {
	return matches(text, 63, isLowerDigit, func(c byte) bool { return isLowerDigit(c) || c == '-' })
}

// isResource is for `repository/type/tag`.
func isResource(text string) bool {
	parts := strings.Split(text, "/")
	if len(parts) != resourceParts {
		return false
	}
	for _, part := range parts {
		first := func(c byte) bool { return isAlphanumeric(c) || c == '_' || c == '-' }
		if !matches(part, maxSegment, first, func(c byte) bool { return first(c) || c == '.' }) {
			return false
		}
	}
	return true
}
