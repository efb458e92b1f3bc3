package launchspec

import (
	"slices"
	"strconv"
)

// Bounds of Secret.Refresh.
const (
	minRefresh = 10
	maxRefresh = 7 * 86400
)

// Refreshes says whether the agent fetches any secret again.
func (s *Spec) Refreshes() bool {
	return slices.ContainsFunc(s.Secrets, func(secret Secret) bool { return secret.Refresh != nil })
}

// secretsOf returns the secrets that a container gets.
func (s *Spec) secretsOf(of *Container) []Secret {
	if of.Secrets == nil {
		return s.Secrets
	}
	var given []Secret
	for _, secret := range s.Secrets {
		if slices.Contains(*of.Secrets, secret.Name) {
			given = append(given, secret)
		}
	}
	return given
}

// secretsOf takes an empty list, which is the only way to say that a container gets no secret.
func (c *checks) secretsOf(s *Spec, of *Container, field string) {
	if of.Secrets == nil {
		return
	}
	c.that(len(*of.Secrets) <= maxSecrets, field+"secrets", "has too many entries")
	for _, name := range *of.Secrets {
		known := slices.ContainsFunc(s.Secrets, func(secret Secret) bool { return secret.Name == name })
		c.that(known, field+"secrets", "holds what is not the name of a secret of the pod")
	}
	c.that(ascending(*of.Secrets), field+"secrets", "must be sorted, each once")
}

func (c *checks) secrets(secrets []Secret) {
	c.that(len(secrets) <= maxSecrets, "secrets", "has too many entries")
	var names []string
	variables := map[string]bool{}
	for index, secret := range secrets {
		field := "secrets[" + strconv.Itoa(index) + "]."
		names = append(names, secret.Name)
		c.that(isName(secret.Name), field+"name", "is not a name")
		c.injectors(&secret, field)
		c.target(&secret.Target, field+"delivery.")
		c.refresh(&secret, field+"refresh")
		if variable := secret.Target.Variable; variable != nil {
			c.that(!variables[*variable], "secrets", "must have a variable of its own each")
			variables[*variable] = true
		}
	}
	c.that(ascending(names), "secrets", "must be sorted by name, each once")
}

func (c *checks) injectors(secret *Secret, field string) {
	c.that(len(secret.Injectors) <= maxInjectors, field+"injectors", "has too many entries")
	for _, digest := range secret.Injectors {
		c.that(isSHA256(digest), field+"injectors", "holds what is not a SHA-256 digest")
	}
	c.that(ascending(secret.Injectors), field+"injectors", "must be sorted, each once")
	if secret.Resource != nil {
		c.that(len(secret.Injectors) == 0 && !secret.AllowAnyInjector, field+"injectors", "must be none of a secret that is fetched")
		return
	}
	c.that((len(secret.Injectors) > 0) != secret.AllowAnyInjector, field+"injectors", "must name injectors, or allow any, and not both")
}

// refresh is for what a process can read again: its environment is its own from the start on.
func (c *checks) refresh(secret *Secret, field string) {
	if secret.Refresh == nil {
		return
	}
	c.that(secret.Resource != nil, field, "is for a secret that is fetched")
	c.that(secret.Target.Kind == TargetFile, field, "is for a file")
	c.between(*secret.Refresh, minRefresh, maxRefresh, field)
}

func (c *checks) target(target *SecretTarget, field string) {
	switch target.Kind {
	case TargetFile:
		c.that(target.Variable == nil, field+"variable", "does not belong to a file")
	case TargetEnv:
		c.that(target.Variable != nil && isVariable(*target.Variable), field+"variable", "is not the name of a variable")
	default:
		c.that(false, field+"kind", "must be file or env")
	}
}
