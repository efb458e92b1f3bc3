package box

import (
	"slices"

	"a3s.dev/box/agent/stage"
)

// dockerLimits are those that Docker's service gives to its containers.
var dockerLimits = []stage.Limit{
	{Resource: rlimitCore, Soft: unlimited, Hard: unlimited},
	{Resource: rlimitNproc, Soft: unlimited, Hard: unlimited},
	{Resource: rlimitNofile, Soft: 1 << 20, Hard: 1 << 20},
}

const (
	rlimitCore   = 4
	rlimitNproc  = 6
	rlimitNofile = 7
)

// limitsWithoutCore are Docker's, but no process leaves its memory in a file.
func limitsWithoutCore() []stage.Limit {
	limits := slices.Clone(dockerLimits)
	for index := range limits {
		if limits[index].Resource == rlimitCore {
			limits[index].Soft, limits[index].Hard = 0, 0
		}
	}
	return limits
}

// limitsWith are the limits of a process: those that were asked for, and the usual ones of all other resources.
func limitsWith(usual []stage.Limit, asked *[]Ulimit) []stage.Limit {
	if asked == nil {
		return usual
	}
	limits := slices.Clone(usual)
	for _, limit := range *asked {
		given := stage.Limit{Resource: resourceNumber(limit.Name), Soft: limitValue(limit.Soft), Hard: limitValue(limit.Hard)}
		index := slices.IndexFunc(limits, func(other stage.Limit) bool { return other.Resource == given.Resource })
		if index < 0 {
			limits = append(limits, given)
		} else {
			limits[index] = given
		}
	}
	return limits
}
