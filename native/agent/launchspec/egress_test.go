package launchspec

import "testing"

func TestARuleHasAnAddressOfIPv6InBracketsAndInOneSpelling(t *testing.T) {
	for rule, want := range map[string]bool{
		"allow:[2001:db8::/32]":             true,
		"deny:[::/0]:udp":                   true,
		"allow:[2001:db8::7/128]:tcp:443":   true,
		"allow:*.example.org:tcp:8000-8010": true,
		"allow:203.0.113.0/24:icmp":         true,
		"allow:[2001:db8::7]":               false,
		"allow:[2001:DB8::/32]":             false,
		"allow:[2001:db8:0::/32]":           false,
		"allow:[2001:db8::1/32]":            false,
		"allow:[::ffff:10.0.0.0/104]":       false,
		"allow:[10.0.0.0/8]":                false,
		"allow:[2001:db8::/32":              false,
		"allow:[2001:db8::/32]tcp":          false,
		"allow:[2001:db8::/32]:tcp:443:1":   false,
		"allow:2001:db8::/32":               false,
		"allow:[]":                          false,
		"allow:":                            false,
		"allow":                             false,
		"":                                  false,
	} {
		if got := isEgressRule(rule); got != want {
			t.Errorf("%q: %v", rule, got)
		}
	}
}
