package launchspec

import (
	"strconv"
	"strings"

	"a3s.dev/box/agent/box/spec"
)

// Egress is the network policy of the box. The host enforces it, and this guest does not: it is
// here so that relying parties see what was asked for.
type Egress struct {
	// Default is what becomes of what no rule names: EgressDeny or EgressPublic.
	Default string `json:"default"`
	// Rules are texts; the first that matches decides.
	Rules []string `json:"rules"`
}

// Values of Egress.Default.
const (
	EgressDeny   = "deny"
	EgressPublic = "public"
)

const (
	maxEgressRules = 128
	// maxEgressTarget is that of a name of 253 characters behind `*.`.
	maxEgressTarget = 255
)

// egress takes an absent policy as the only way to say that the box has none.
func (c *checks) egress(s *Spec) {
	if s.Egress == nil {
		return
	}
	c.that(s.Network == spec.NetworkNIC, "egress", "does not belong to a box without a network")
	c.that(s.Egress.Default == EgressDeny || s.Egress.Default == EgressPublic, "egress.default", "must be deny or public")
	c.between(int64(len(s.Egress.Rules)), 0, maxEgressRules, "egress.rules")
	for index, rule := range s.Egress.Rules {
		c.that(isEgressRule(rule), "egress.rules["+strconv.Itoa(index)+"]", "is not ACTION:TARGET[:PROTOCOL[:PORT[-PORT]]]")
	}
}

// isEgressRule checks the form alone: what a rule means is the host's to know.
func isEgressRule(text string) bool {
	parts := strings.Split(text, ":")
	if len(parts) < 2 || len(parts) > 4 || parts[0] != "allow" && parts[0] != "deny" || !isEgressTarget(parts[1]) {
		return false
	}
	if len(parts) == 2 {
		return true
	}
	switch parts[2] {
	case "tcp", "udp":
		return len(parts) == 3 || isPorts(parts[3])
	case "icmp":
		return len(parts) == 3
	}
	return false
}

// isEgressTarget takes names, addresses and subnets, in lower case.
func isEgressTarget(text string) bool {
	first := func(c byte) bool { return isLowerDigit(c) || c == '_' || c == '*' }
	return matches(text, maxEgressTarget, first, func(c byte) bool { return first(c) || strings.IndexByte(".-/", c) >= 0 })
}

// isPorts takes a port, or two with a dash between them.
func isPorts(text string) bool {
	first, last, isRange := strings.Cut(text, "-")
	return isPort(first) && (!isRange || isPort(last))
}

func isPort(text string) bool {
	return matches(text, 5, func(c byte) bool { return isDigit(c) && c != '0' }, isDigit)
}
