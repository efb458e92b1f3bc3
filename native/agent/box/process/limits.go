package process

import (
	"slices"

	"a3s.dev/box/agent/box/spec"
	"a3s.dev/box/agent/stage"
)

// DockerLimits are the limits that Docker's service gives to its containers.
var DockerLimits = []stage.Limit{
	{Resource: rlimitCore, Soft: spec.Unlimited, Hard: spec.Unlimited},
	{Resource: rlimitNproc, Soft: spec.Unlimited, Hard: spec.Unlimited},
	{Resource: rlimitNofile, Soft: 1 << 20, Hard: 1 << 20},
}

const (
	rlimitCore   = 4
	rlimitNproc  = 6
	rlimitNofile = 7
)

// LimitsWithoutCore returns Docker's limits without core dumps, so that no process leaves its
// memory in a file.
func LimitsWithoutCore() []stage.Limit {
	limits := slices.Clone(DockerLimits)
	for index := range limits {
		if limits[index].Resource == rlimitCore {
			limits[index].Soft, limits[index].Hard = 0, 0
		}
	}
	return limits
}

// LimitsWith returns the limits of a process: those that its box sets, and the usual ones for all
// other resources.
func LimitsWith(usual []stage.Limit, asked *[]spec.Ulimit) []stage.Limit {
	if asked == nil {
		return usual
	}
	limits := slices.Clone(usual)
	for _, limit := range *asked {
		given := stage.Limit{Resource: spec.ResourceNumber(limit.Name), Soft: spec.LimitValue(limit.Soft), Hard: spec.LimitValue(limit.Hard)}
		index := slices.IndexFunc(limits, func(other stage.Limit) bool { return other.Resource == given.Resource })
		if index < 0 {
			limits = append(limits, given)
		} else {
			limits[index] = given
		}
	}
	return limits
}
