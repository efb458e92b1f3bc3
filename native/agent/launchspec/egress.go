package launchspec

import (
	"net/netip"
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
	action, rest, _ := strings.Cut(text, ":")
	target, rest := cutTarget(rest)
	parts := append([]string{action, target}, strings.Split(rest, ":")[1:]...)
	if len(parts) > 4 || action != "allow" && action != "deny" || !isEgressTarget(target) {
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

// cutTarget splits a target from what is behind it; a subnet of IPv6 has colons between brackets.
func cutTarget(text string) (target, rest string) {
	end := 0
	if strings.HasPrefix(text, "[") {
		end = max(0, strings.IndexByte(text, ']'))
	}
	if colon := strings.IndexByte(text[end:], ':'); colon >= 0 {
		return text[:end+colon], text[end+colon:]
	}
	return text, ""
}

// isEgressTarget takes names, addresses and subnets, in lower case; those of IPv6 in one spelling.
func isEgressTarget(text string) bool {
	if inner, is := strings.CutPrefix(text, "["); is {
		subnet, is := strings.CutSuffix(inner, "]")
		prefix, err := netip.ParsePrefix(subnet)
		return is && err == nil && prefix.Addr().Is6() && !prefix.Addr().Is4In6() && prefix.Masked().String() == subnet
	}
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
